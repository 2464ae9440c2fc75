"""The console as a target of the matrix: each request goes through its gate, with a session."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.security.tenants.targets import (
    CallerRequest,
    ComparableResponse,
    ServerTarget,
    comparable_headers,
)
from tests.support.client import Api

if TYPE_CHECKING:
    from tests.support.server import Server

ROOT = "/parlour/console"
PAGE = {"Parlour-Console": "1", "Sec-Fetch-Site": "same-origin"}


class GatedTarget(ServerTarget):
    """A server process: the logins of the matrix sign in, and their paths are paths of the gate."""

    def __init__(self, server: Server) -> None:
        """Send to a running server."""
        super().__init__(server)
        self._page = Api(server.base_url, None, None)
        self._sessions: dict[str, tuple[str, str]] = {}
        self.account_sid: str | None = None
        """The account in all paths; None: the account of each session."""

    def send(self, request: CallerRequest) -> ComparableResponse:
        """Return the response to one request."""
        assert request.authorization is not None
        cookie, account_sid = self._session_of(request.authorization)
        reads = request.method == "GET"
        headers = PAGE | {"Cookie": cookie}
        if request.idempotency_key is not None:
            headers["Idempotency-Key"] = request.idempotency_key
        answer = self._page.request(
            request.method,
            f"{ROOT}/api/{self.account_sid or account_sid}{request.path}",
            headers=headers,
            query=request.fields if reads else None,
            form=None if reads else request.fields,
        )
        shown = comparable_headers(answer.headers.items())
        return ComparableResponse(answer.status, shown, answer.body)

    def _session_of(self, authorization: str) -> tuple[str, str]:
        """Return the cookie and the account of a login, which signs in once."""
        if authorization not in self._sessions:
            pair = base64.b64decode(authorization.partition(" ")[2]).decode()
            name, _, secret = pair.partition(":")
            form = {"Name": name, "Secret": secret}
            made = self._page.request("POST", f"{ROOT}/session", headers=PAGE, form=form)
            session = made.expect(201)
            cookie = made.headers["Set-Cookie"].partition(";")[0]
            self._sessions[authorization] = cookie, session["account_sid"]
        return self._sessions[authorization]

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._page.close()
