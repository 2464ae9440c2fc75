"""The official Python client, pointed at the server by its own seam: the HTTP client.

Requests to any host of the hosted service go to the server instead, for any region and edge of
the client: a program under test needs no change, and never reaches the hosted service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

if TYPE_CHECKING:
    from parlour_testkit.account import Account

_HOSTED = ".twilio.com"


class RedirectingHttpClient(TwilioHttpClient):  # type: ignore[misc]
    """Sends what the client requests of the hosted service to a server of ours."""

    def __init__(self, server_url: str, **options: Any) -> None:
        """``options`` are of the official TwilioHttpClient."""
        super().__init__(**options)
        self._server_url = server_url
        if self.session is not None:
            # The parent sets ``max_retries`` for https alone.
            self.session.mount("http://", self.session.get_adapter("https://"))

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        """Send a request; the parent sends it to the host of ``url``."""
        return super().request(method, redirected(url, self._server_url), *arguments, **options)


def redirected(url: str, server_url: str) -> str:
    """Return a URL of the hosted service as one of the server; others are unchanged."""
    parts = urlsplit(url)
    if not f".{parts.hostname or ''}".endswith(_HOSTED):
        return url
    server = urlsplit(server_url)
    path = server.path.rstrip("/") + parts.path
    return urlunsplit((server.scheme, server.netloc, path, parts.query, parts.fragment))


def client_of(account: Account, **options: Any) -> Client:
    """Return a client with the login of an account. ``options`` are of the TwilioHttpClient."""
    http_client = RedirectingHttpClient(account.url, **options)
    return Client(account.sid, account.auth_token, http_client=http_client)
