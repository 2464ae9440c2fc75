"""Runs the server where a client of the socket has only two seconds for its init."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.vocabulary import limits

limits.INIT_SECONDS_MAX = 2

if __name__ == "__main__":
    main()
