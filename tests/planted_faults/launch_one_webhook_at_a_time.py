"""Run the server with a planted fault: one webhook request in flight over all endpoints."""

from __future__ import annotations

from parlour.vocabulary import limits

limits.WEBHOOKS_AT_ONCE_MAX = 1

from parlour.cli.main import main  # noqa: E402 - the limit must be set first.

if __name__ == "__main__":
    main()
