"""A customer's backend on loopback: records each request, with scripted responses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Self

    Responder = Callable[["WebhookRequest", asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HANG_SECONDS = 30


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One request, byte for byte."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Return the path without its query."""
        return urlsplit(self.target).path

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters in order of arrival: of the query, or of the form."""
        if self.method == "POST":
            return parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def values(self) -> dict[str, str]:
        """Return the parameters; in a form each occurs once."""
        values = dict(self.pairs)
        assert self.method == "GET" or len(values) == len(self.pairs)
        return values

    @property
    def event(self) -> str:
        """Return the name of the event."""
        return self.values["EventType"]


def respond_with(status: int, body: bytes | str = b"", *headers: str) -> Responder:
    """Respond with this status and body."""
    raw = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(raw)}", *headers]

    async def give(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)

    return give


async def hang(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
    """Send no response until every client has timed out."""
    await asyncio.sleep(HANG_SECONDS)


async def hang_up(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
    """Close the connection without a response."""
    writer.close()


class WebhookBackend:
    """A server for all the webhooks of a test, with separate responses for each path."""

    def __init__(self) -> None:
        self.requests: list[WebhookRequest] = []
        self.responders: dict[str, Responder] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen on a port of loopback."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close, with any requests still in progress."""
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for writer in self._writers:
            writer.close()

    def url(self, path: str, user_info: str = "") -> str:
        """Return the URL of a path of this server."""
        return f"http://{user_info}127.0.0.1:{self.port}{path}"

    def requests_to(self, path: str, *events: str) -> list[WebhookRequest]:
        """Return the requests to a path: of these events, or all."""
        found = [request for request in self.requests if request.path == path]
        return [request for request in found if request.event in events] if events else found

    def events_sent_to(self, path: str) -> list[str]:
        """Return the names of the events sent to a path, in order."""
        return [request.event for request in self.requests_to(path)]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._writers.add(writer)
        try:
            while not writer.is_closing():
                await self._serve_one(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ")
        request = WebhookRequest(method, target, headers, body)
        self.requests.append(request)
        given = self.responders.get(request.path)
        if given is None:
            writer.write(OK)
        else:
            await given(request, writer)
