"""The host names under which the console is served, and the origin of its page.

A foreign page can give its own host name the address of this machine (DNS rebinding). Its requests
have that name as ``Host``, so only known names are served.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.config import Settings
    from parlour.http.client_addresses import ClientAddresses
    from parlour.http.messages import Request

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.\-_]{1,253})(?::[0-9]{1,5})?\Z")
_FORWARDING: Final = frozenset({b"forwarded", b"via", b"x-real-ip"})
_FORWARDING_START: Final = b"x-forwarded-"
_SAFE_SITES: Final = frozenset({None, "same-origin", "none"})
_REFUSAL: Final = "The console is not served under this host name: see --console-hosts."
_FOREIGN: Final = "The console is used by its own page only."


class ConsoleHosts:
    """Checks where requests come from: the name of the server, and the page of the browser."""

    def __init__(self, settings: Settings, client_addresses: ClientAddresses) -> None:
        """Serve the host names of the settings, and loopback."""
        public_url = settings.public_url
        self._client_addresses = client_addresses
        parts = urlsplit(public_url)
        self._public_origin = f"{parts.scheme}://{parts.netloc}".lower() if public_url else ""
        named = {part.strip().lower() for part in settings.console_hosts.split(",")}
        own = {settings.host.lower(), parts.hostname or ""}
        # As the address to listen on these are all addresses, and not the name of the server.
        self._names = frozenset({*own, *named} - {"", "0.0.0.0", "::"})  # noqa: S104

    def check_host(self, request: Request) -> None:
        """Raise 421 unless the console is served under the host name of a request."""
        name = _host_of(request)
        if not is_loopback(name) and name not in self._names:
            raise ApiError(20001, _REFUSAL, status=421)

    def check_read(self, request: Request) -> None:
        """Raise 403 for a read by another site: its pages cannot use the response, but time it."""
        if request.header(b"sec-fetch-site") not in _SAFE_SITES:
            raise ApiError(20403, _FOREIGN)

    def check_change(self, request: Request) -> None:
        """Raise 403 unless our own page sends a change: forms of other pages have no header."""
        site = request.header(b"sec-fetch-site")
        is_own = self._has_own_origin(request) if site is None else site == "same-origin"
        if not is_own or request.header(b"parlour-console") != "1":
            raise ApiError(20403, _FOREIGN)

    def _has_own_origin(self, request: Request) -> bool:
        origin = (request.header(b"origin") or "").lower()
        host = (request.header(b"host") or "").lower()
        own = f"{self.scheme_of(request)}://{host}"
        return origin != "" and origin in {own, self._public_origin}

    def scheme_of(self, request: Request) -> str:
        """Return the scheme that the browser used."""
        return self._client_addresses.scheme_of(request)

    def address_of(self, request: Request) -> str:
        """Return the address of the client; behind a trusted proxy the one that it forwards."""
        return self._client_addresses.address_of(request)

    def is_local(self, request: Request) -> bool:
        """Return whether a browser on this machine sends a request, without a proxy between."""
        fields = request.block.fields
        is_forwarded = not _FORWARDING.isdisjoint(fields) or any(
            name.startswith(_FORWARDING_START) for name in fields
        )
        is_of_page = request.header(b"sec-fetch-site") in _SAFE_SITES
        return (
            is_of_page
            and not is_forwarded
            and is_loopback(request.peer)
            and is_loopback(_host_of(request))
        )


def _host_of(request: Request) -> str:
    """Return the host name of a request in lower case, without its port; empty if it is invalid."""
    match = _HOST.match(request.header(b"host") or "")
    return "" if match is None else match[1].strip("[]").lower()


def is_loopback(name: str) -> bool:
    """Return whether a host name or an address is this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
