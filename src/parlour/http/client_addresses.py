"""The client of a request: the TCP peer, or the address that a trusted proxy forwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.protocol.forwarded import (
    ForwardingHeaders,
    TrustedProxies,
    client_network,
    parse_networks,
)

if TYPE_CHECKING:
    from parlour.http.messages import Request

_FOR: Final = b"x-forwarded-for"
_PROTO: Final = b"x-forwarded-proto"
_FORWARDED: Final = b"forwarded"
_ALL: Final = frozenset({_FOR, _PROTO, _FORWARDED})


class ClientAddresses:
    """Resolves client addresses behind the trusted proxies of the settings."""

    def __init__(self, trusted_proxies: str) -> None:
        """``trusted_proxies``: networks separated by commas. Raises ValueError."""
        self.proxies = TrustedProxies(parse_networks(trusted_proxies))

    def is_trusted(self, peer: str) -> bool:
        """Return whether a TCP peer is a trusted proxy of many clients."""
        return self.proxies.trusts(peer)

    def address_of(self, request: Request) -> str:
        """Return the client's address; for IPv6 the /64 network, which belongs to one customer."""
        forwarding = _forwarding(request) if request.has_any_header(_ALL) else None
        if forwarding is None:
            return client_network(request.peer)
        return client_network(
            self.proxies.resolve_client(request.peer, request.scheme, forwarding).address
        )

    def scheme_of(self, request: Request) -> str:
        """Return the scheme that the client used."""
        forwarding = _forwarding(request) if request.has_any_header(_ALL) else None
        if forwarding is None:
            return request.scheme
        return self.proxies.resolve_client(request.peer, request.scheme, forwarding).scheme


def _forwarding(request: Request) -> ForwardingHeaders | None:
    """Return the forwarding headers of a request; None without any."""
    values = [request.header(name) for name in (_FOR, _PROTO, _FORWARDED)]
    if not any(values):
        return None
    return ForwardingHeaders(*([each] if each else [] for each in values))
