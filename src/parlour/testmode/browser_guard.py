"""Refuses browsers that are on a foreign page.

The credentials of test mode are well known, and the API answers every origin. So any page that a
developer visits could set a webhook to an address of the local network, and read the response from
the log. A request of a browser has ``Origin`` or ``Sec-Fetch-Site``; other programs are not asked.
Only a read of a page's own origin has neither, if that is no secure context: ``http`` with another
name than ``localhost``. The ``User-Agent`` of all browsers begins with ``Mozilla/``.

A browser is served if its ``Host`` is local, and

- its ``Origin`` is local or allowed, or has the same public address as the ``Host``, or
- it has no ``Origin``, and ``Sec-Fetch-Site`` is ``same-origin`` or ``none`` or absent.

A local host is loopback, any IP address, a single-label name, or a name below ``.localhost``,
``.test`` or ``.internal``: a public name that resolves to this machine (DNS rebinding) is not.
A page at a public address can be of anyone, so it is foreign; as ``Host`` such an address is safe,
since no name was resolved.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.protocol.header_block import HeaderBlock

_LOCAL_SUFFIXES: Final = (".localhost", ".test", ".internal")
_OWN_PAGE: Final = frozenset({b"same-origin", b"none", None})
_BROWSER: Final = b"mozilla/"
_SIGNED: Final = "/media-direct/"
"""Signed links are exempt: their signature is the permission, and images have no Origin."""
_REFUSAL: Final = "Test mode serves browsers on local pages only: allow others with --allow-origin."


class BrowserGuard:
    """Checks the requests of browsers."""

    def __init__(self, allowed_origins: str) -> None:
        """``allowed_origins`` are separated by commas."""
        parts = (part.strip() for part in allowed_origins.split(","))
        self._allowed = frozenset(_normal(part) for part in parts if part)

    def check(self, block: HeaderBlock, path: str) -> None:
        """Raise 20403 (status 403) for a browser on a foreign page."""
        fields = block.fields
        origin, site = fields.get(b"origin"), fields.get(b"sec-fetch-site")
        is_browser = origin is not None or site is not None or _is_of_browser(fields)
        if not is_browser or path.startswith(_SIGNED):
            return
        host = fields.get(b"host", b"").decode("latin-1")
        own_name = _name_of(f"http://{host}")
        if not _is_local_host(own_name):
            raise ApiError(20403, _REFUSAL)
        if origin is None:
            if site in _OWN_PAGE:
                return
            raise ApiError(20403, _REFUSAL)
        text = origin.decode("latin-1")
        if not _is_local_page(_name_of(text), own_name) and _normal(text) not in self._allowed:
            raise ApiError(20403, _REFUSAL)


def _is_of_browser(fields: Mapping[bytes, bytes]) -> bool:
    return fields.get(b"user-agent", b"").lower().startswith(_BROWSER)


def _normal(origin: str) -> str:
    return origin.rstrip("/").lower()


def _name_of(url: str) -> str:
    """Return the host of a URL in lower case; empty if there is none, as in ``null``."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_local_page(name: str, own_name: str) -> bool:
    """Return whether a page of this host is local to a server that is reached by ``own_name``."""
    return _is_local_host(name) and (name == own_name or not _is_public_address(name))


def _is_public_address(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_global


def _is_local_host(name: str) -> bool:
    if not name:
        return False
    if name.endswith(_LOCAL_SUFFIXES):
        return True
    try:
        ip_address(name)
    except ValueError:
        return "." not in name
    return True
