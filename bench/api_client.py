"""A small client of the REST API, to fill a server before it is measured."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

TIMEOUT_SECONDS = 30.0


class UnexpectedAnswerError(Exception):
    """The server did not respond as a filled store requires."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account and its auth token, for Basic authentication."""

    account_sid: str
    auth_token: str

    @property
    def authorization(self) -> str:
        """Return the value of the ``Authorization`` header."""
        pair = f"{self.account_sid}:{self.auth_token}"
        return "Basic " + base64.b64encode(pair.encode()).decode()


class KeepAliveApi:
    """One keep-alive connection to a server on loopback."""

    def __init__(self, port: int, credentials: Credentials) -> None:
        """Create a client; the connection opens with the first request."""
        self.port = port
        self.credentials = credentials
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def post(self, path: str, **form: object) -> dict[str, Any]:
        """POST these parameters and return the response, which must be a success."""
        return self._send_request("POST", path, urlencode(form))

    def get(self, path: str) -> dict[str, Any]:
        """GET and return the response, which must be a success."""
        return self._send_request("GET", path, None)

    def _send_request(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        status, answer = self.raw(method, path, body)
        if not 200 <= status <= 299:
            raise UnexpectedAnswerError(f"{method} {path}: {status} {answer[:500]!r}")
        shown: dict[str, Any] = json.loads(answer)
        return shown

    def raw(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Return status and body of a response, unparsed."""
        headers = {"Authorization": self.credentials.authorization}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()
