"""The section ``[[routes]]`` of the carriers file: which carrier sends for which sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from parlour.channels import registry
from parlour.protocol import addresses
from parlour.protocol.addresses import parse_address, parse_proxy_address
from parlour.resources.carrier_numbers.store import EVERY_CHANNEL, CarrierRoute
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.channels.file_faults import FileFaults
    from parlour.channels.toml_lines import KeyPath

_CHANNELS: Final = (
    addresses.SMS,
    addresses.WHATSAPP,
    addresses.MESSENGER,
    addresses.RCS,
    addresses.GBM,
    addresses.APPLE,
    addresses.EMAIL,
)


class _RouteTable(msgspec.Struct, frozen=True):
    """One table of ``[[routes]]``: exactly one of sender, prefix and channel is given."""

    carrier: str
    sender: str | None = None
    prefix: str | None = None
    channel: str | None = None


def read_routes(
    tables: Any, carriers: Mapping[str, frozenset[str] | None], faults: FileFaults
) -> tuple[CarrierRoute, ...]:
    """Return the routes of the file; errors are recorded.

    ``carriers`` are the channels of each carrier, None if they are unknown after an error.
    """
    if not isinstance(tables, list):
        faults.add(("routes",), "routes are an array of tables: write [[routes]]")
        return ()
    if len(tables) > limits.CARRIER_ROUTES_MAX:
        faults.add(("routes",), f"there are more than {limits.CARRIER_ROUTES_MAX} routes")
        return ()
    found: dict[tuple[str, str], CarrierRoute] = {}
    first: dict[tuple[str, str], KeyPath] = {}
    for index, table in enumerate(tables):
        place: KeyPath = ("routes", index)
        route = _read_route(faults.convert(table, _RouteTable, place), place, carriers, faults)
        if route is None:
            continue
        key = (route.kind, route.pattern)
        if key in found:
            line = faults.line_of(first[key])
            faults.add(place, f"a second route of the {route.kind} {route.pattern}; the first "
                       f"is in line {line}")  # fmt: skip
        found[key], first[key] = route, place
    prefixes = sum(each.kind == "prefix" for each in found.values())
    if prefixes > limits.CARRIER_PREFIX_ROUTES_MAX:
        most = limits.CARRIER_PREFIX_ROUTES_MAX
        faults.add(("routes",), f"there are {prefixes} routes by prefix, more than {most}")
    return tuple(found.values())


def _read_route(
    table: _RouteTable | None,
    place: KeyPath,
    carriers: Mapping[str, frozenset[str] | None],
    faults: FileFaults,
) -> CarrierRoute | None:
    if table is None:
        return None
    kinds: tuple[Literal["sender", "prefix", "channel"], ...] = ("sender", "prefix", "channel")
    given = [kind for kind in kinds if getattr(table, kind) is not None]
    if len(given) != 1:
        faults.add(place, "a route has exactly one of sender, prefix and channel")
        return None
    kind, pattern = given[0], str(getattr(table, given[0]))
    problem, channel = _pattern_problem(kind, pattern)
    if problem:
        faults.add((*place, kind), problem)
        return None
    if table.carrier not in carriers and table.carrier != registry.VIRTUAL:
        known = ", ".join(sorted({*carriers, registry.VIRTUAL}))
        text = f"there is no carrier {table.carrier!r}; the carriers are {known}"
        faults.add((*place, "carrier"), text)
        return None
    channels = carriers.get(table.carrier)
    if channels is not None and channel and channel not in channels:
        carried = ", ".join(sorted(channels))
        faults.add(place, f"the carrier {table.carrier} does not carry {channel}, only {carried}")
    return CarrierRoute(kind, pattern, table.carrier)


def _pattern_problem(kind: str, pattern: str) -> tuple[str, str]:
    """Return the defect of a pattern, empty without one, and its channel, empty if unknown."""
    if kind == "channel":
        if pattern in _CHANNELS or pattern == EVERY_CHANNEL:
            return "", pattern.replace(EVERY_CHANNEL, "")
        return f"unknown channel {pattern!r}; the channels are {', '.join(_CHANNELS)} and *", ""
    if kind == "prefix":
        if 0 < len(pattern) <= limits.ADDRESS_CHARS_MAX:
            return "", _channel_of_prefix(pattern)
        return f"prefix: must have 1 to {limits.ADDRESS_CHARS_MAX} characters", ""
    address = parse_proxy_address(pattern)
    if address is None:
        return f"sender: {pattern!r} is no address, such as +15550100001", ""
    return "", address.type


def _channel_of_prefix(prefix: str) -> str:
    """Return the channel of all addresses with a prefix; empty if it may be several."""
    if prefix.startswith("+") or prefix.isdigit():
        # An e-mail address may begin so, too; a route of that kind is by domain or address.
        return addresses.SMS
    start, colon, _ = prefix.partition(":")
    address = parse_address(f"{start}:+15550100001") if colon else None
    return address.type if address is not None else ""
