"""Runs the server with an init timeout of two seconds."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.vocabulary import limits

limits.INIT_SECONDS_MAX = 2

if __name__ == "__main__":
    main()
