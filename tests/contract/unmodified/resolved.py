"""Run a program with names resolved as by a hosts file, and port 443 redirected.

`python resolved.py PROGRAM`; PORT is the server's port. No test needs the machine's own
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
    """Return the server's address for every name of the hosted service."""
    is_hosted = str(host).endswith(".twilio.com") and port == 443
    return resolve(*(("127.0.0.1", PORT) if is_hosted else (host, port)), *args, **kwargs)


socket.getaddrinfo = resolve_hosted
runpy.run_path(sys.argv[1], run_name="__main__")
