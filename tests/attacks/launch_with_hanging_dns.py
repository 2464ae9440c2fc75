"""Run the server with a resolver that hangs for names below hang.test; well.test is loopback."""

from __future__ import annotations

import socket
import time
from typing import Any

from parlour.cli.main import main

getaddrinfo = socket.getaddrinfo
HANGS_SECONDS = 20


def look_up(host: Any, *more: Any, **options: Any) -> Any:
    """Resolve a name as in a network where some name servers do not respond."""
    if isinstance(host, bytes) and host.endswith(b".hang.test"):
        time.sleep(HANGS_SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")
    if host == b"well.test":
        host = b"127.0.0.1"
    return getaddrinfo(host, *more, **options)


socket.getaddrinfo = look_up

if __name__ == "__main__":
    main()
