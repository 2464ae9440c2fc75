"""Customers' backends for the benchmark: one process that listens on many ports.

``python -m bench.receivers CONTROL_PORT COUNT``; the control port lists the others (``/ports``),
returns what arrived since the last call (``/seen``), and makes one of them hang (``/hang/3``) until
all are released (``/free``).
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import httptools
import msgspec
import uvloop

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class ReceiverState:
    """State shared by all ports: received requests, and hanging receivers."""

    def __init__(self) -> None:
        """Start without requests and without hanging receivers."""
        self.ports: list[int] = []
        self.came: list[tuple[int, float, bytes]] = []
        self.hanging: set[int] = set()
        self.held: list[asyncio.Transport] = []

    def answer(self, path: str) -> Any:
        """Return the JSON of the control port's response."""
        if path == "/seen":
            came, self.came = self.came, []
            return [(place, _milliseconds(at, body)) for place, at, body in came]
        if path.startswith("/hang/"):
            self.hanging.add(int(path.removeprefix("/hang/")))
        if path == "/free":
            self.hanging.clear()
            held, self.held = self.held, []
            for transport in held:
                if not transport.is_closing():
                    transport.write(OK)
        return self.ports


def _milliseconds(at: float, body: bytes) -> float | None:
    """Return the time from the event's date to its arrival; None without a date."""
    text = dict(parse_qsl(body.decode())).get("DateCreated")
    if text is None:
        return None
    return (at - datetime.fromisoformat(text).timestamp()) * 1000


class ReceiverConnection(asyncio.Protocol):
    """One connection to one of the ports; ``place`` is None for the control port."""

    def __init__(self, backends: ReceiverState, place: int | None) -> None:
        """Start with the first request."""
        self.backends = backends
        self.place = place
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""
        self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport for responses."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse the received bytes."""
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Start a request."""
        self.url, self.body = url, b""

    def on_body(self, body: bytes) -> None:
        """Append a part of its body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Record the complete request and respond."""
        if self.place is None:
            shown = msgspec.json.encode(self.backends.answer(self.url.decode()))
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(shown)}\r\n\r\n"
            self.transport.write(head.encode() + shown)
            return
        self.backends.came.append((self.place, time.time(), self.body))
        if self.place in self.backends.hanging:
            self.backends.held.append(self.transport)
        else:
            self.transport.write(OK)


async def serve(control_port: int, count: int) -> None:
    """Listen until the process ends."""
    loop = asyncio.get_running_loop()
    backends = ReceiverState()
    for place in range(count):
        # The index is bound now: the function runs later.
        made = await loop.create_server(
            lambda place=place: ReceiverConnection(backends, place),  # type: ignore[misc]
            "127.0.0.1",
            0,
        )
        backends.ports.append(made.sockets[0].getsockname()[1])
    control = await loop.create_server(
        lambda: ReceiverConnection(backends, None), "127.0.0.1", control_port
    )
    await control.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
