"""Runs one baseline on uvicorn: ``python -m bench.baselines.serve NAME PORT``."""

from __future__ import annotations

import sys

import uvicorn

APPLICATIONS = {
    "constant": "bench.baselines.constant:app",
    "handler": "bench.baselines.handler:app",
    "one_transaction": "bench.baselines.one_transaction:app",
    "one_transaction_postgres": "bench.baselines.one_transaction_postgres:app",
    "broadcast": "bench.baselines.broadcast:app",
    "memory": "bench.baselines.memory:app",
}
SOCKETS = {"broadcast", "memory"}


def main() -> None:
    """Serve until the process gets a signal.

    The loop and the parser are those that Parlour uses. Features that cost a bare application time
    without need are off: access log, proxy headers, and the ``server`` and ``date`` headers.
    """
    name, port = sys.argv[1], int(sys.argv[2])
    uvicorn.run(
        APPLICATIONS[name],
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio" if name in SOCKETS else "none",
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )


if __name__ == "__main__":
    main()
