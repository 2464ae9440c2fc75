"""A server that speaks TLS with a certificate for the hosted service's names."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTED = "conversations.twilio.com"


class TlsApi(Api):
    """Requests as one account of a server that speaks TLS, each on a new connection."""

    def __init__(self, server: TlsServer, sid: str, token: str) -> None:
        """Create a client that trusts the server's authority."""
        super().__init__(server.base_url, sid, token)
        self._server = server

    def _connection(self) -> http.client.HTTPConnection:
        self.close()
        made = self._thread.idle = self._server.connect()
        return made


class TlsServer(Server):
    """A server with a local authority; the files it created are in `certificates`."""

    is_forked = False

    def __init__(self, *args: str, program: Sequence[str] = ("-m", "parlour")) -> None:
        """Create the authority and the certificate; `start` runs the server."""
        super().__init__(args=args, program=program)
        self._folder = tempfile.TemporaryDirectory(prefix="parlour-certificates-")
        self.folder = Path(self._folder.name) / "certificates"
        self.certificates = self.make_certificates()
        self._args = (
            *("--tls-cert", self.certificates["tls_cert"]),
            *("--tls-key", self.certificates["tls_key"]),
            *self._args,
        )

    def make_certificates(self) -> dict[str, Any]:
        """Return the output of `parlour certificates`: the files it created or found."""
        out = ("certificates", "--out", str(self.folder), "--json")
        made: dict[str, Any] = json.loads(self.command(*out, on_data=False))
        return made

    @property
    def authority(self) -> str:
        """Return the file of the authority that clients have to trust."""
        path: str = self.certificates["authority"]
        return path

    @property
    def base_url(self) -> str:
        """Return the base URL, without a trailing slash."""
        return f"https://127.0.0.1:{self.port}"

    def is_healthy(self) -> bool:
        """Return whether `GET /healthz` responds with 200 now, by a name of the hosted service."""
        with contextlib.closing(self.connect()) as connection:
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            except (http.client.HTTPException, OSError):
                return False

    def connect(self) -> http.client.HTTPSConnection:
        """Return a client that trusts the authority; it connects with its first request."""
        trusting = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=trusting)

    def make_token(self, identity: str) -> str:
        """Return an access token of a user."""
        pair = f"{self.account_sid}:{self.auth_token}".encode()
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        with contextlib.closing(self.connect()) as connection:
            connection.request("POST", "/parlour/v1/Tokens", f"Identity={identity}", headers)
            made: str = json.loads(connection.getresponse().read())["token"]
        return made

    def close(self) -> None:
        """Kill it if it runs, and remove its folders."""
        super().close()
        self._folder.cleanup()
