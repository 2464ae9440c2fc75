"""Runs the server with few slots for the WebSockets of one account."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.vocabulary import limits

limits.CONNECTIONS_PER_ACCOUNT_MAX = 12

if __name__ == "__main__":
    main()
