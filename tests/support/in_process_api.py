"""Requests of the API to a server in the test's process, with the login of its account."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.support.in_process_requests import RecordedResponse, send_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from parlour.app import App
    from parlour.http.server import HttpServer

BUFFER_BYTES = 32 * 1024
FORM_TYPE = b"application/x-www-form-urlencoded"


class InProcessResponse(RecordedResponse):
    """A response with a JSON body."""

    __slots__ = ()

    def json(self) -> Any:
        """Return the body."""
        return json.loads(self.body)

    def expect(self, status: int) -> Any:
        """Return the body of a response with this status."""
        assert self.status == status, (self.status, self.body)
        return json.loads(self.body) if self.body else None

    def refuses(self, status: int, code: int) -> str:
        """Return the message of an error with this status and code."""
        error = self.expect(status)
        assert error["code"] == code, error
        message: str = error["message"]
        return message


class InProcessApi:
    """The REST API of a server in this process."""

    def __init__(self, server: HttpServer, login: str, secret: str) -> None:
        pair = base64.b64encode(f"{login}:{secret}".encode())
        self.headers = {b"authorization": b"Basic " + pair, b"host": b"localhost"}
        self._server = server

    async def get(self, path: str, **query: Any) -> InProcessResponse:
        """Send a GET with a query."""
        return await self.send("GET", f"{path}?{urlencode(query, doseq=True)}" if query else path)

    async def post(self, path: str, form: dict[str, Any] | None = None) -> InProcessResponse:
        """Send a POST with a form."""
        return await self.send("POST", path, urlencode(form or {}, doseq=True).encode())

    async def delete(self, path: str) -> InProcessResponse:
        """Send a DELETE."""
        return await self.send("DELETE", path)

    async def send(
        self, method: str, target: str, body: bytes = b"", **headers: str
    ) -> InProcessResponse:
        """Send a request; ``headers`` are named with underscores."""
        more = {name.replace("_", "-").encode(): text.encode() for name, text in headers.items()}
        kind = {b"content-type": FORM_TYPE} if body else {}
        found = await send_request(
            self._server, method, target, {**self.headers, **kind, **more}, body
        )
        return InProcessResponse(*found)


@asynccontextmanager
async def listening(app: App) -> AsyncIterator[int]:
    """Serve the HTTP connections of a server in this process; yield the port on loopback."""
    connections = app.connections()
    listener = await asyncio.get_running_loop().create_server(
        connections.make_protocol, "127.0.0.1", 0
    )
    # Small buffers, so that a client that reads nothing stalls its connection soon.
    listener.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await connections.stop()
