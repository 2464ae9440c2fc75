"""The two sides of a WebSocket as it sees them: who speaks through it, and who counts it."""

from __future__ import annotations

from typing import Any, Protocol


class Receiver(Protocol):
    """Whoever speaks through a socket."""

    def message_received(self, message: bytes) -> int:
        """Take one whole message; return its cost, in frames (SOCKET_TURN_FRAMES)."""
        ...

    def held_bytes(self) -> int:
        """Return how many bytes are held back for the client."""
        ...

    def rate_exceeded(self) -> None:
        """End the connection: the client sends more than it may."""
        ...

    def close_slow(self) -> None:
        """End the connection: the client takes what it is sent too slowly."""
        ...

    def server_stopping(self) -> None:
        """End the connection: the server stops."""
        ...

    def connection_lost(self) -> None:
        """The connection is gone."""
        ...


class Registry(Protocol):
    """Counts open WebSockets."""

    def mark_authenticated(self, counted: Any) -> None:
        """Count the socket as that of a known client from now on."""
        ...

    def mark_closing(self, counted: Any) -> None:
        """The socket only waits for the client's good-bye: it may be aborted at any time."""
        ...

    def discard(self, counted: Any) -> None:
        """Count the socket no more: it is closed."""
        ...
