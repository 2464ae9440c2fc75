"""Binds the port before a start changes anything, so that a port in use has no side effect.

| step | when | what it excludes |
|---|---|---|
| bind | first of all | a port on which another process listens, an address of another machine |
| listen | when the store is open, before an account exists | a process that bound concurrently |
| accept | when requests can be served | |
"""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Final

from parlour.vocabulary import limits

# Addresses of a host name that this machine does not have are skipped.
_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class BindError(Exception):
    """The address or the port cannot be bound; the text is the reason."""


def bind(host: str, port: int, *, shares: bool = False) -> list[socket.socket]:
    """Return a socket for each address of `host`, bound to `port` (0: a free one), not listening.

    With `shares`, other processes of this user may bind the port as well. Raises BindError.
    """
    with contextlib.ExitStack() as undo:
        bound: list[socket.socket] = []
        try:
            addresses = _addresses(host, port)
            for number, (family, address) in enumerate(addresses, 1):
                made = undo.enter_context(_socket(family, shares=shares))
                try:
                    made.bind((address[0], port, *address[2:]))
                except OSError as error:
                    if error.errno in _ABSENT and (bound or number < len(addresses)):
                        continue
                    raise
                bound.append(made)
                port = made.getsockname()[1]
        except OSError as error:
            raise _failed(host, port, error) from error
        undo.pop_all()
        return bound


def reserve_port(host: str, port: int) -> list[socket.socket]:
    """Return sockets that are bound to a port and never listen.

    While they are open, only processes of this user can bind the port. Workers bind it as well, and
    the kernel distributes connections to the sockets that listen. Raises BindError.
    """
    # First without SO_REUSEPORT, which would share the port with another server.
    for each in bind(host, port):
        each.close()
    return bind(host, port, shares=True)


def listen(sockets: list[socket.socket]) -> None:
    """Listen on bound sockets. Raises BindError."""
    for each in sockets:
        try:
            each.listen(limits.BACKLOG_MAX)
        except OSError as error:
            address = each.getsockname()
            raise _failed(address[0], address[1], error) from error


def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, ...]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # getaddrinfo may return an address several times.
    return list(dict.fromkeys((each[0], each[4]) for each in found))  # type: ignore[misc]


def _socket(family: int, *, shares: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shares:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def _failed(host: str, port: int, error: OSError) -> BindError:
    return BindError(f"cannot listen on {host}:{port}: {error.strerror}")
