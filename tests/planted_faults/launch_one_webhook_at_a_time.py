"""Runs the server with a planted fault: all endpoints wait for one another's turn."""

from __future__ import annotations

from parlour.vocabulary import limits

limits.WEBHOOKS_AT_ONCE_MAX = 1

from parlour.cli.main import main  # noqa: E402 - the limit is to be set first.

if __name__ == "__main__":
    main()
