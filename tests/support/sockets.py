"""Plain sockets of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


def receive(connection: socket.socket, size_max: int = 65536) -> bytes:
    """Return the next bytes, at least one. AssertionError if the connection has ended."""
    data = connection.recv(size_max)
    assert data, "The connection has ended."
    return data
