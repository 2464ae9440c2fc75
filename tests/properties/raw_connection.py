"""A connection on which tests control every byte."""

from __future__ import annotations

import base64
import io
import socket
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tests.support.client import FORM_TYPE, ApiResponse

if TYPE_CHECKING:
    from tests.support.server import Server

SECONDS_MAX = 20.0


class ClosedError(Exception):
    """The server closed the connection instead of sending a response."""


class RawConnection:
    """One connection to a server, as one account."""

    def __init__(self, server: Server, account: tuple[str, str] | None = None) -> None:
        """Connect."""
        place = urlsplit(server.base_url)
        self.host = place.netloc
        sid, token = account or (server.account_sid, server.auth_token)
        pair = base64.b64encode(f"{sid}:{token}".encode()).decode()
        self.authorization = f"Authorization: Basic {pair}"
        self.socket = socket.create_connection((place.hostname, place.port), SECONDS_MAX)
        self._stream = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        """Return the open connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._stream.close()
        self.socket.close()

    def head(self, start: str, *headers: str) -> bytes:
        """Return a request's head with Host and credentials."""
        lines = [start, f"Host: {self.host}", self.authorization, *headers, "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")

    def get(self, target: str, *headers: str) -> bytes:
        """Return a GET."""
        return self.head(f"GET {target} HTTP/1.1", *headers)

    def post(self, target: str, body: bytes = b"", *headers: str) -> bytes:
        """Return a POST of a form."""
        sent = (f"Content-Type: {FORM_TYPE}", f"Content-Length: {len(body)}", *headers)
        return self.head(f"POST {target} HTTP/1.1", *sent) + body

    def send(self, *parts: bytes) -> None:
        """Send bytes unchanged; a close by the server in the meantime is no failure here."""
        try:
            for part in parts:
                self.socket.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answer(self, *, to_head: bool = False) -> ApiResponse:
        """Return the next response of this connection."""
        line = self._stream.readline()
        if not line:
            raise ClosedError
        status = int(line.split()[1])
        raw = bytearray()
        while (header := self._stream.readline()) not in {b"\r\n", b""}:
            raw += header
        headers = BytesParser().parse(io.BytesIO(bytes(raw)), headersonly=True)
        length = int(headers.get("Content-Length", 0))
        body = b"" if to_head or status < 200 else self._stream.read(length)
        return ApiResponse(status, headers, body)

    def exchange(self, *parts: bytes) -> ApiResponse:
        """Send bytes and return one response."""
        self.send(*parts)
        return self.answer()

    def is_closed(self) -> bool:
        """Return whether the server closes without another byte, within the time of a test."""
        try:
            return self._stream.read(1) == b""
        except ConnectionResetError:
            return True

    def make(self, target: str, **form: Any) -> Any:
        """Create an object by a well-formed request; return its JSON."""
        body = "&".join(f"{name}={value}" for name, value in form.items())
        return self.exchange(self.post(target, body.encode())).expect(201)
