"""Run the server with short timeouts, so that a test need not wait long for them."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.vocabulary import limits

limits.HEAD_SECONDS_MAX = 1
limits.REQUEST_SECONDS_MAX = 1
limits.KEEP_ALIVE_SECONDS = 1

if __name__ == "__main__":
    main()
