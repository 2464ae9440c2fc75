"""The interfaces of a WebSocket: the receiver of its messages, and the registry that counts it."""

from __future__ import annotations

from typing import Any, Protocol


class Receiver(Protocol):
    """The handler of a WebSocket's messages."""

    def message_received(self, message: bytes) -> int:
        """Process one whole message; return its cost in frames (SOCKET_TURN_FRAMES)."""
        ...

    def held_bytes(self) -> int:
        """Return the number of bytes held back for the client."""
        ...

    def rate_exceeded(self) -> None:
        """Close the connection: the client exceeds its rate limit."""
        ...

    def close_slow(self) -> None:
        """Close the connection of a slow reader."""
        ...

    def server_stopping(self) -> None:
        """Close the connection: the server stops."""
        ...

    def connection_lost(self) -> None:
        """Release everything after the transport was closed."""
        ...


class Registry(Protocol):
    """Counts open WebSockets."""

    def mark_authenticated(self, counted: Any) -> None:
        """Count the socket as authenticated from now on."""
        ...

    def mark_closing(self, counted: Any) -> None:
        """Count the socket as closing: it waits for a close frame, and may be aborted."""
        ...

    def discard(self, counted: Any) -> None:
        """Remove a closed socket."""
        ...
