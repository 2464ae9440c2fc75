"""The official Python client for asyncio, pointed at the server.

A separate module: its libraries are imported only where they are used, and old versions of the
package ``twilio`` have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from parlour_testkit.twilio_client import redirected

if TYPE_CHECKING:
    from parlour_testkit.account import Account


class RedirectingAsyncHttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]
    """Sends the requests of the methods ``*_async`` of the client."""

    def __init__(self, server_url: str, **options: Any) -> None:
        """``options`` are of the official AsyncTwilioHttpClient. An event loop must run."""
        super().__init__(**options)
        self._server_url = server_url

    async def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        """Send a request; the parent sends it to the host of ``url``."""
        target = redirected(url, self._server_url)
        return await super().request(method, target, *arguments, **options)


def async_client_of(account: Account, **options: Any) -> Client:
    """Return a client for asyncio. ``options`` are of the AsyncTwilioHttpClient."""
    http_client = RedirectingAsyncHttpClient(account.url, **options)
    return Client(account.sid, account.auth_token, http_client=http_client)
