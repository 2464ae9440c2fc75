"""Runs the server with other limits, given as NAME=VALUE in the variable LIMITS."""

from __future__ import annotations

import os

from parlour.cli.main import main
from parlour.vocabulary import limits

for setting in os.environ["LIMITS"].split():
    name, _, value = setting.partition("=")
    assert hasattr(limits, name), name
    setattr(limits, name, int(value))

if __name__ == "__main__":
    main()
