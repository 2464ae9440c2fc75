"""Runs a program whose names resolve as a hosts file would have them, and port 443 with them.

`python resolved.py PROGRAM`; PORT is where the server listens. No test needs the machine's own
hosts file, or the right to listen on port 443.
"""

import os
import runpy
import socket
import sys
from typing import Any

PORT = int(os.environ["PORT"])
resolve = socket.getaddrinfo


def resolve_hosted(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    """The server's address, for every name of the hosted service."""
    is_hosted = str(host).endswith(".twilio.com") and port == 443
    return resolve(*(("127.0.0.1", PORT) if is_hosted else (host, port)), *args, **kwargs)


socket.getaddrinfo = resolve_hosted
runpy.run_path(sys.argv[1], run_name="__main__")
