"""Runs the server with few slots for unauthenticated connections and handshakes."""

from __future__ import annotations

from parlour.cli.main import main
from parlour.vocabulary import limits

limits.UNAUTHENTICATED_CONNECTIONS_MAX = 8
limits.HANDSHAKES_MAX = 4

if __name__ == "__main__":
    main()
