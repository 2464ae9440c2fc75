"""The root URL of responses: the configured one, or the request's.

A trusted proxy sets the scheme by ``X-Forwarded-Proto`` or ``Forwarded``; other peers cannot
(http/client_addresses.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.http.client_addresses import ClientAddresses
    from parlour.http.messages import Request

_HOST = re.compile(r"[A-Za-z0-9.\-_]{1,253}(:\d{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?\Z")


class RootUrls:
    """Scheme and host of the server as the client addressed it, cached by Host."""

    def __init__(self, public_url: str, client_addresses: ClientAddresses) -> None:
        self._public_url = public_url.rstrip("/")
        self._client_addresses = client_addresses
        self._known: dict[tuple[str, bytes | None], str] = {}

    def of(self, request: Request) -> str:
        """Return ``https://host``, without a trailing slash. Raises 20001 for an invalid Host."""
        scheme = self._client_addresses.scheme_of(request)
        key = scheme, request.block.fields.get(b"host")
        known = self._known.get(key)
        if known is not None:
            return known
        root = self._public_url
        if not root:
            host = request.header(b"host")
            if host is None or not _HOST.match(host):
                raise ApiError(20001, "Invalid Host header.")
            root = f"{scheme}://{host}"
        # Clients choose the Host, so the cache is bounded.
        if len(self._known) >= limits.ROOT_URLS_CACHED_MAX:
            self._known.clear()
        self._known[key] = root
        return root
