"""Runs the server with settings that it would reject: zero slots, zero timeouts."""

from __future__ import annotations

import dataclasses

from parlour.cli import options
from parlour.cli.main import main
from parlour.config import setting_descriptions
from parlour.setting_checks import Check

unchecked = [
    dataclasses.replace(each, check=Check(each.check.allowed, lambda _value: ""))
    for each in setting_descriptions()
]
options.setting_descriptions = lambda: unchecked

if __name__ == "__main__":
    main()
