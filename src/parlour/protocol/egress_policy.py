"""The hosts that may be called: decisions on names, numbers and addresses, without a socket.

Checking the text of a URL is not enough: `0x7f.1`, `[::ffff:7f00:1]` and a name whose
owner changes its address a second later (DNS rebinding) all reach the internal network.
So three rules apply.

- A host is either a name or *one* address. Each notation of a number is parsed here, and
  the connection is made to the result. The text is not parsed again.
- Addresses are classified by an explicit table. `ipaddress.is_global` is not used: it calls
  NAT64, 6to4, multicast and `::127.0.0.1` global. Addresses outside a public range are not
  public; unknown parts of the IPv6 space are refused.
- A name is judged by all the addresses it resolves to. One forbidden address refuses them
  all: a mixed result is a known way to bypass a check of the first address only.
"""

from __future__ import annotations

import enum
import functools
import re
from dataclasses import dataclass
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

CODE_BAD_URL: Final = 11200
CODE_ADDRESS_REFUSED: Final = 11205
CODE_BAD_HOST: Final = 11210


class EgressRefused(Exception):  # noqa: N818 - it is a decision, not a failure.
    """A request is not made: the reason, the code for the log, and whether a retry may help.

    The reason never contains an address that a name resolved to: it is shown to the account,
    and would disclose the addresses of names in the operator's own network.
    """

    def __init__(self, reason: str, code: int, *, is_final: bool = True) -> None:
        super().__init__(f"{code}: {reason}")
        self.reason = reason
        self.code = code
        self.is_final = is_final


class AddressKind(enum.Enum):
    """The reachability class of an address, from the server."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class AddressRange:
    """One row of the table: a network, its kind and its purpose."""

    network: IpNetwork
    kind: AddressKind
    purpose: str


# From the IANA registries of special-purpose addresses, and the addresses under which
# clouds serve credentials to their machines. The first row that fits decides.
_SPECIAL: Final = """
0.0.0.0/8           forbidden  this network
10.0.0.0/8          private    private use
100.100.100.200/32  forbidden  cloud metadata
100.64.0.0/10       private    shared by carriers
127.0.0.0/8         loopback   loopback
168.63.129.16/32    forbidden  cloud metadata
169.254.0.0/16      forbidden  link-local and cloud metadata
172.16.0.0/12       private    private use
192.0.0.0/24        forbidden  protocol assignments and cloud metadata
192.0.2.0/24        forbidden  documentation
192.88.99.0/24      forbidden  6to4 relays
192.168.0.0/16      private    private use
198.18.0.0/15       forbidden  benchmarks
198.51.100.0/24     forbidden  documentation
203.0.113.0/24      forbidden  documentation
224.0.0.0/4         forbidden  multicast
240.0.0.0/4         forbidden  reserved and broadcast
0.0.0.0/0           public     the internet
::/128              forbidden  unspecified
::1/128             loopback   loopback
64:ff9b::/96        public     NAT64, judged by the IPv4 address inside
2001::/23           forbidden  Teredo and other protocol assignments
2001:db8::/32       forbidden  documentation
2002::/16           forbidden  6to4
3ffe::/16           forbidden  former test network
3fff::/20           forbidden  documentation
fd00:ec2::/32       forbidden  cloud metadata
fd20:ce::/32        forbidden  cloud metadata
fc00::/7            private    unique local
fe80::/10           forbidden  link-local
fec0::/10           forbidden  former site-local
ff00::/8            forbidden  multicast
2000::/3            public     the internet
::/0                forbidden  not assigned to anybody
"""


def _read_table() -> tuple[AddressRange, ...]:
    rows = (line.split(None, 2) for line in _SPECIAL.strip().splitlines())
    return tuple(
        AddressRange(ip_network(net), AddressKind(kind), purpose) for net, kind, purpose in rows
    )


TABLE: Final = _read_table()
_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNROUTED: Final = AddressRange(IPv6Network("::/0"), AddressKind.FORBIDDEN, "IPv4 inside a tunnel")
# The middle of the interface half of an ISATAP address, in any network.
_ISATAP_MARKS: Final = frozenset({0x00005EFE, 0x02005EFE})


def unwrap(address: IpAddress) -> IpAddress:
    """Return the actual destination: IPv4 inside `::ffff:0:0/96` is that IPv4 address."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def classify(address: IpAddress) -> AddressRange:
    """Return the row of the table that classifies an address."""
    address = unwrap(address)
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            inside = classify(IPv4Address(int(address) & 0xFFFFFFFF))
            # Private addresses behind the translator belong to its network.
            return inside if inside.kind is AddressKind.PUBLIC else _UNROUTED
        if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP_MARKS:
            return _UNROUTED
    return next(row for row in TABLE if address in row.network)


# --- Hosts ------------------------------------------------------------------------------

# Letters that IDNA 2003 maps and IDNA 2008 preserves: two parsers, two hosts.
_AMBIGUOUS: Final = re.compile("[\N{LATIN SMALL LETTER SHARP S}\N{GREEK SMALL LETTER FINAL SIGMA}"
                               "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}]")  # fmt: skip
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER: Final = re.compile(r"(?:0[xX](?P<hex>[0-9A-Fa-f]*)|(?P<octal>0[0-7]+)|(?P<ten>[0-9]+))")
_LOOKS_NUMERIC: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
# Longer than any address in octal with a few zeros before it.
_NUMBER_CHARS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Host:
    """A host of a URL: the text sent as `Host`, the name to resolve, or the address it is."""

    text: str
    name: str
    address: IpAddress | None


@functools.lru_cache(maxsize=limits.PREPARED_URLS_MAX)
def parse_host(text: str) -> Host:
    """Return the host of a URL: a name, or the one address that its numbers denote.

    Raises EgressRefused for anything else.
    """
    if text.startswith("["):
        return _parse_ipv6(text)
    written = text if text.isascii() else _to_ascii(text)
    name = written.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > limits.HOST_NAME_CHARS_MAX or not all(map(_LABEL.fullmatch, labels)):
        raise EgressRefused("The host is not a host name.", CODE_BAD_HOST)
    if _LOOKS_NUMERIC.fullmatch(labels[-1]):
        address = _parse_ipv4(labels)
        return Host(text=written, name=str(address), address=address)
    return Host(text=written, name=name, address=None)


def _to_ascii(text: str) -> str:
    if _AMBIGUOUS.search(text):
        reason = "The host has a letter that programs read in two ways; write it in ASCII."
        raise EgressRefused(reason, CODE_BAD_HOST)
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise EgressRefused("The host is not a host name.", CODE_BAD_HOST) from error


def _parse_ipv6(text: str) -> Host:
    try:
        address = IPv6Address(text[1:-1] if text.endswith("]") else text)
    except AddressValueError as error:
        raise EgressRefused("The host is not an IPv6 address.", CODE_BAD_HOST) from error
    if address.scope_id is not None:
        # A zone (`%eth0`) selects an interface of this machine: not for accounts to choose.
        raise EgressRefused("The host is an IPv6 address with a zone.", CODE_BAD_HOST)
    return Host(text=text, name=str(address), address=unwrap(address))


def _parse_ipv4(labels: list[str]) -> IPv4Address:
    """Return the address that one to four decimal, octal or hexadecimal numbers denote.

    This is how browsers and the C library read `127.1`, `0177.0.0.1` and `2130706433`.
    """
    numbers = [_parse_number(label) for label in labels]
    last = numbers.pop()
    room = 8 * (4 - len(numbers))
    if len(numbers) > 3 or any(number > 0xFF for number in numbers) or last >= 1 << room:
        raise EgressRefused("The host is not an IPv4 address.", CODE_BAD_HOST)
    for place, number in enumerate(numbers):
        last |= number << (24 - 8 * place)
    return IPv4Address(last)


def _parse_number(label: str) -> int:
    match = _NUMBER.fullmatch(label)
    if match is None or len(label) > _NUMBER_CHARS_MAX:
        raise EgressRefused("The host is not an IPv4 address.", CODE_BAD_HOST)
    if match["octal"] is not None:
        return int(match["octal"], 8)
    if match["ten"] is not None:
        # `08` is octal to some parsers and decimal to others, so it is refused.
        if match["ten"] != "0" and match["ten"].startswith("0"):
            raise EgressRefused("The host is not an IPv4 address.", CODE_BAD_HOST)
        return int(match["ten"])
    return int(match["hex"] or "0", 16)


# --- The policy -------------------------------------------------------------------------


class EgressPolicy:
    """The permitted destinations: the internet, the server's own network if set, and a list.

    An entry of the list is a network (`10.1.0.0/16`, `192.168.1.7`) or a host name. A
    network allows every address in it. A name allows only the loopback and private addresses
    that it resolves to: its owner must not be able to extend the list.
    """

    __slots__ = ("allow_list", "allow_private", "names", "networks")

    def __init__(self, *, allow_private: bool, allow_list: Iterable[str] = ()) -> None:
        """Parse the list. Raises ValueError for an entry that is neither."""
        networks: list[IpNetwork] = []
        names: list[str] = []
        self.allow_list = tuple(allow_list)
        for entry in self.allow_list:
            try:
                networks.append(ip_network(entry))
            except ValueError:
                names.append(_parse_name(entry))
        self.allow_private = allow_private
        self.networks = tuple(networks)
        self.names = frozenset(names)

    def decide(self, host: Host, resolved: Iterable[str]) -> tuple[IpAddress, ...]:
        """Return the addresses to connect to: all that were resolved, in their order.

        Raises EgressRefused if any of them may not be called, or there is none.
        """
        addresses = tuple(_read_resolved(text) for text in resolved)
        if not addresses:
            raise EgressRefused("The host has no address.", CODE_BAD_HOST, is_final=False)
        for address in addresses:
            kind = classify(address).kind
            if not self._may_call(host, address, kind):
                reason = f"The host has a {kind.value} address, which may not be called."
                raise EgressRefused(reason, CODE_ADDRESS_REFUSED, is_final=False)
        return tuple(unwrap(address) for address in addresses)

    def _may_call(self, host: Host, address: IpAddress, kind: AddressKind) -> bool:
        if kind is AddressKind.PUBLIC:
            return True
        near = unwrap(address)
        if any(near in network or address in network for network in self.networks):
            return True
        is_inside = kind in {AddressKind.LOOPBACK, AddressKind.PRIVATE}
        return is_inside and (self.allow_private or host.name in self.names)


def _parse_name(entry: str) -> str:
    try:
        host = parse_host(entry)
    except EgressRefused as error:
        raise ValueError(f"{entry!r} is neither a network nor a host name.") from error
    if host.address is not None:
        raise ValueError(f"{entry!r} has to be written as a plain address or network.")
    return host.name


def _read_resolved(text: str) -> IpAddress:
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        reason = "The host has a forbidden address, which may not be called."
        raise EgressRefused(reason, CODE_ADDRESS_REFUSED, is_final=False)
    return address


def default_policy(listening_on: str, allow_list: Iterable[str] = ()) -> EgressPolicy:
    """Return the default policy of a server that listens on this host.

    On loopback only the developer at this machine can cause requests, and the receiver runs
    on the same machine. On any other address strangers can, so only the internet is allowed.
    """
    try:
        kind = classify(ip_address(listening_on.strip("[]"))).kind
        is_local = kind is AddressKind.LOOPBACK
    except ValueError:
        is_local = listening_on.lower() == "localhost"
    return EgressPolicy(allow_private=is_local, allow_list=allow_list)
