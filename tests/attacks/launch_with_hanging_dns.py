"""Runs the server where names below hang.test are looked up for ever, and well.test is loopback."""

from __future__ import annotations

import socket
import time
from typing import Any

from parlour.cli.main import main

getaddrinfo = socket.getaddrinfo
HANGS_SECONDS = 20


def look_up(host: Any, *more: Any, **options: Any) -> Any:
    """What the system's resolver says, in a network whose name servers do not all answer."""
    if isinstance(host, bytes) and host.endswith(b".hang.test"):
        time.sleep(HANGS_SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")
    if host == b"well.test":
        host = b"127.0.0.1"
    return getaddrinfo(host, *more, **options)


socket.getaddrinfo = look_up

if __name__ == "__main__":
    main()
