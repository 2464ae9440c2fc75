"""The client behind a proxy: `X-Forwarded-For`, `X-Forwarded-Proto`, `Forwarded` (RFC 7239).

Each proxy appends the address of its peer, so the list is read from its end: while an address is a
trusted proxy, the one before it is trusted. The first that is not a trusted proxy is the client;
earlier entries were sent by the client.

A malformed entry ends the search, and the last trusted address is the result. If a request has
both headers, they must agree: a proxy sets one of them and may pass the client's other one on.
"""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

_SCHEMES: Final = frozenset({"http", "https"})
_V4_AND_PORT: Final = re.compile(r"([0-9.]{7,15})(?::[0-9]{1,5})?\Z", re.ASCII)
_V6_AND_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?\Z", re.ASCII)
_V6: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}\Z", re.ASCII)
# One parameter of an element of Forwarded, and its separator.
_PAIR: Final = re.compile(
    r"""[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=
        (?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))[ \t]*([;,]|\Z)""",
    re.ASCII | re.VERBOSE,
)
_ESCAPED: Final = re.compile(r"\\(.)")
# Addresses of one provider's customer share these bits; IPv6 gives each of them a whole network.
_V6_CUSTOMER_BITS: Final = 64


class ForwardingHeaders(NamedTuple):
    """The headers of a request, each line in its order."""

    x_forwarded_for: Sequence[str] = ()
    x_forwarded_proto: Sequence[str] = ()
    forwarded: Sequence[str] = ()


class ForwardedClient(NamedTuple):
    """The client of a request: its address, empty if unknown, and its scheme."""

    address: str
    scheme: str


class _Hop(NamedTuple):
    """One entry of a list: an address as text, and the scheme that it used."""

    node: str
    scheme: str = ""


def parse_networks(text: str) -> tuple[IpNetwork, ...]:
    """Parse networks and addresses separated by commas. Raises ValueError with a message."""
    networks: list[IpNetwork] = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(each))
        except ValueError as error:
            raise ValueError(network_fault(each)) from error
    return tuple(networks)


def network_fault(text: str) -> str:
    """Return the error message for a text that is not a network."""
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        return f"{text} is not a network or an address"
    return f"{text} has bits set behind its prefix: the network is {meant}"


def parse_address(text: str) -> IpAddress | None:
    """Return the address of a node, with or without a port; None for anything else."""
    found = _V4_AND_PORT.match(text) or _V6_AND_PORT.match(text)
    bare = found[1] if found else text
    if not found and not _V6.match(text):
        return None
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def client_network(address: str) -> str:
    """Return the address, or the /64 network of an IPv6 address: it belongs to one customer."""
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed), _V6_CUSTOMER_BITS), strict=False))
    return address if parsed is None else str(parsed)


class TrustedProxies:
    """The networks of the trusted proxies."""

    def __init__(self, networks: Sequence[IpNetwork]) -> None:
        self._networks = tuple(networks)

    def trusts(self, address: str) -> bool:
        """Return whether this is the address of a trusted proxy."""
        parsed = parse_address(address)
        return parsed is not None and self._has(parsed)

    def resolve_client(self, peer: str, scheme: str, headers: ForwardingHeaders) -> ForwardedClient:
        """Return the client of a request from ``peer`` by ``scheme``. Never raises."""
        if not self.trusts(peer):
            return ForwardedClient(peer, scheme)
        by_list = self._walk(peer, [_Hop(each.strip()) for each in _split(headers.x_forwarded_for)])
        by_element = self._walk(peer, list(_elements(headers.forwarded)))
        address = peer
        if not headers.forwarded or not headers.x_forwarded_for:
            address = (by_list if headers.x_forwarded_for else by_element).node
        elif by_list.node == by_element.node:
            address = by_list.node
        schemes = {each.strip() for each in _split(headers.x_forwarded_proto)}
        if by_element.scheme:
            schemes.add(by_element.scheme)
        agreed = schemes.pop() if len(schemes) == 1 else ""
        return ForwardedClient(address, agreed if agreed in _SCHEMES else scheme)

    def _walk(self, peer: str, hops: list[_Hop]) -> _Hop:
        """Return the last trusted hop; its scheme is empty if none was trusted."""
        trusted = _Hop(peer)
        for hop in reversed(hops):
            address = parse_address(hop.node)
            if address is None:
                # The proxy hides the address of its peer, but has the scheme.
                return trusted if trusted.scheme else _Hop(trusted.node, hop.scheme)
            trusted = _Hop(str(address), hop.scheme)
            if not self._has(address):
                break
        return trusted

    def _has(self, address: IpAddress) -> bool:
        return any(address in network for network in self._networks)


def _split(lines: Sequence[str]) -> list[str]:
    """Return the entries of a list that may have several header lines."""
    return [part for line in lines for part in line.split(",")]


def _elements(lines: Sequence[str]) -> Iterator[_Hop]:
    """Yield the elements of Forwarded; a malformed one has no address."""
    for line in lines:
        at, pairs = 0, dict[str, str]()
        while at < len(line):
            pair = _PAIR.match(line, at)
            if pair is None:
                # The start of the next element is unknown: no earlier element is trusted.
                pairs = {"for": ""}
                break
            name, quoted, token, end = pair.groups()
            value = token if quoted is None else _ESCAPED.sub(r"\1", quoted)
            pairs.setdefault(name.lower(), value)
            at = pair.end()
            if end == ",":
                yield _hop(pairs)
                pairs = {}
        if pairs:
            yield _hop(pairs)


def _hop(pairs: Mapping[str, str]) -> _Hop:
    return _Hop(pairs.get("for", ""), pairs.get("proto", "").lower())
