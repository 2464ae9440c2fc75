"""A small synchronous HTTP client that returns responses byte for byte as received."""

from __future__ import annotations

import base64
import http.client
import json
import select
import socket
import string
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from email.message import Message

TIMEOUT_SECONDS = 30.0
FORM_TYPE = "application/x-www-form-urlencoded"

Value = str | int | bool | Sequence[str]
Fields = Mapping[str, Value]


@dataclass(frozen=True)
class ApiResponse:
    """Status, headers (case-insensitive) and body of one HTTP response."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as JSON; None if it is empty."""
        return json.loads(self.body) if self.body else None

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode()

    @property
    def code(self) -> int | None:
        """Return the code of an error response; None for a success."""
        code: int | None = self.json.get("code") if self.status >= 400 else None
        return code

    def expect(self, status: int) -> Any:
        """Return the JSON of the response, which must have this status."""
        assert self.status == status, f"{self.status}, not {status}: {self.body[:2000]!r}"
        return self.json

    def refuses(self, status: int, code: int) -> Any:
        """Return the JSON of the error response, which must have this status, code and shape."""
        error = self.expect(status)
        assert error["code"] == code, error
        assert error["status"] == status, error
        assert error["more_info"] == f"https://www.twilio.com/docs/errors/{code}", error
        assert set(error) == {"code", "message", "more_info", "status"}, error
        return error


class _ThreadState(threading.local):
    """The state of a client in one thread."""

    idle: http.client.HTTPConnection | None = None
    """The persistent connection."""


class Api:
    """Requests as one account; persistent connections, one per thread.

    A path such as `/Conversations` is resolved below `prefix` (`/v1`, or one of its services).
    Paths that start with a lower-case letter or a digit (`/v1/…`, `/healthz`) and absolute URLs of
    this server are used unchanged.
    """

    def __init__(
        self, base_url: str, sid: str | None, token: str | None, prefix: str = "/v1"
    ) -> None:
        """Create a client; without a sid it sends no credentials."""
        self.base_url = base_url.rstrip("/")
        self.sid = sid
        self.token = token
        self.prefix = prefix
        self._thread = _ThreadState()

    def under(self, prefix: str) -> Api:
        """Return a client of the same account below another prefix."""
        return Api(self.base_url, self.sid, self.token, prefix)

    def service(self, service_sid: str) -> Api:
        """Return a client of the same account for the service form of a service."""
        return self.under(f"/v1/Services/{service_sid}")

    def signed(self, sid: str | None, token: str | None) -> Api:
        """Return a client of the same prefix with other credentials, or with none."""
        return Api(self.base_url, sid, token, self.prefix)

    def get(self, path: str, query: Fields | None = None, **more: Any) -> ApiResponse:
        """Send a GET with a query; `headers=` and single fields may be given by name."""
        return self._send("GET", path, {"query": query}, more)

    def post(self, path: str, form: Fields | None = None, **more: Any) -> ApiResponse:
        """Send a POST of a form; `headers=`, `body=` and single fields may be given by name."""
        return self._send("POST", path, {"form": form}, more)

    def delete(self, path: str, **more: Any) -> ApiResponse:
        """Send a DELETE."""
        return self._send("DELETE", path, {}, more)

    def _send(
        self, method: str, path: str, given: dict[str, Any], more: dict[str, Any]
    ) -> ApiResponse:
        options: dict[str, Any] = {}
        for name in ("headers", "body"):
            if name in more:
                options[name] = more.pop(name)
        for kind, fields in given.items():
            options[kind] = {**(fields or {}), **more}
        if more and not given:
            message = f"Unknown options: {sorted(more)}"
            raise TypeError(message)
        return self.request(method, path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Fields | None = None,
        form: Fields | None = None,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ApiResponse:
        """Send one request without retries and return the complete response."""
        sent = self._headers()
        if form is not None and body is None:
            body = encode(form)
            sent["Content-Type"] = FORM_TYPE
        payload = body.encode() if isinstance(body, str) else body
        return self._exchange(method, self.target(path, query), payload, sent | dict(headers or {}))

    def target(self, path: str, query: Fields | None = None) -> str:
        """Return the request target of a path; characters HTTP cannot carry are percent-encoded."""
        path = path.removeprefix(self.base_url)
        whole = path if path[1:2].islower() or path[1:2].isdigit() else self.prefix + path
        encoded = quote(whole, safe=string.punctuation)
        return f"{encoded}?{encode(query)}" if query else encoded

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self.sid is not None:
            pair = base64.b64encode(f"{self.sid}:{self.token}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return headers

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> ApiResponse:
        connection = self._connection()
        try:
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            return ApiResponse(response.status, response.headers, response.read())
        except BaseException:
            self.close()
            raise

    def _connection(self) -> http.client.HTTPConnection:
        # The server closed a persistent connection that became readable. No request is ever sent
        # twice: a test must be able to rely on one call being one request.
        idle = self._thread.idle
        if idle is not None and (idle.sock is None or _is_readable(idle.sock)):
            self.close()
            idle = None
        if idle is None:
            place = urlsplit(self.base_url)
            assert place.hostname is not None
            idle = http.client.HTTPConnection(place.hostname, place.port, timeout=TIMEOUT_SECONDS)
            self._thread.idle = idle
        return idle

    def close(self) -> None:
        """Close the connection of this thread."""
        idle = self._thread.idle
        if idle is not None:
            idle.close()
            self._thread.idle = None


def encode(fields: Fields) -> str:
    """Encode fields as a form or a query; a list becomes a repeated name."""
    pairs: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, bool):
            pairs.append((name, str(value).lower()))
        elif isinstance(value, (list, tuple)):
            pairs.extend((name, str(item)) for item in value)
        else:
            pairs.append((name, str(value)))
    return urlencode(pairs)


def send_bytes(base_url: str, request: bytes) -> ApiResponse:
    """Send a request given as bytes on a new connection and return the response."""
    place = urlsplit(base_url)
    assert place.hostname is not None
    assert place.port is not None
    with socket.create_connection((place.hostname, place.port), TIMEOUT_SECONDS) as sock:
        sock.sendall(request)
        response = http.client.HTTPResponse(sock, method=request.split(b" ")[0].decode("latin-1"))
        response.begin()
        return ApiResponse(response.status, response.headers, response.read())


def _is_readable(sock: socket.socket) -> bool:
    # Not `select`, which supports only the first 1,024 descriptors of a process.
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
