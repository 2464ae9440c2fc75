"""The client of a request: the TCP peer, or the one that a trusted proxy names."""

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
    """Resolves clients, with the proxies that the settings trust."""

    def __init__(self, trusted_proxies: str) -> None:
        """``trusted_proxies``: networks separated by commas. Raises ValueError."""
        self.proxies = TrustedProxies(parse_networks(trusted_proxies))

    def is_trusted(self, peer: str) -> bool:
        """Whether a TCP peer is a trusted proxy, behind which many clients may stand."""
        return self.proxies.trusts(peer)

    def address_of(self, request: Request) -> str:
        """The client's address; of IPv6 its network of 64 bits, which one customer has alone."""
        said = _forwarding(request) if request.has_any_header(_ALL) else None
        if said is None:
            return client_network(request.peer)
        return client_network(
            self.proxies.resolve_client(request.peer, request.scheme, said).address
        )

    def scheme_of(self, request: Request) -> str:
        """The scheme that the client used."""
        said = _forwarding(request) if request.has_any_header(_ALL) else None
        if said is None:
            return request.scheme
        return self.proxies.resolve_client(request.peer, request.scheme, said).scheme


def _forwarding(request: Request) -> ForwardingHeaders | None:
    """The headers of proxies, if the request has any."""
    said = [request.header(name) for name in (_FOR, _PROTO, _FORWARDED)]
    if not any(said):
        return None
    return ForwardingHeaders(*([each] if each else [] for each in said))
