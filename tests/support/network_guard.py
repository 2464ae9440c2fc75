"""Keeps the tests on this machine: a socket to any other address fails the test.

Python reports each use of a socket to its audit hooks, also when a library swallows the error that
the hook raises. So an attempt is recorded as well as rejected.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONNECTING = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"})

attempts: list[str] = []


class SocketOutsideLoopbackError(Exception):
    """A test tried to reach an address outside this machine."""


def install() -> None:
    """Watch every socket of this process from now on; audit hooks cannot be removed."""
    sys.addaudithook(_watch)


def take_attempts() -> list[str]:
    """Return the attempts recorded since the last call."""
    taken = attempts.copy()
    attempts.clear()
    return taken


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CONNECTING:
        sock, address = arguments[0], arguments[1]
        inside = sock.family == socket.AF_UNIX or address is None or _is_loopback(address[0])
    elif event == "socket.getaddrinfo":
        address = arguments[0]
        inside = address is None or _is_loopback(address)
    else:
        return
    if not inside:
        attempts.append(f"{event} {address!r}")
        message = f"{event} {address!r}: only loopback may be used in tests."
        raise SocketOutsideLoopbackError(message)


def _is_loopback(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def describe(recorded: Iterable[str]) -> str:
    """Return the recorded attempts as one line."""
    return "left the loopback: " + "; ".join(recorded)
