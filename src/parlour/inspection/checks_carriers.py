"""The doctor's checks of carriers: their links, and the numbers and routes of the file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from parlour.channels.carrier import CarrierContext, CarrierUnavailable
from parlour.channels.http_link import HttpCarrier
from parlour.channels.registry import VIRTUAL
from parlour.channels.wiring import callback_url, operator_egress
from parlour.inspection.checks import Finding
from parlour.protocol.addresses import parse_proxy_address
from parlour.resources.accounts.actions import ACTIVE
from parlour.store.engines import DATABASE_NAME
from parlour.store.sqlite.online_backup import DamagedDatabaseError, account_statuses
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock, SystemRandom

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from parlour.channels.carrier import (
        DeliveryReport,
        InboundKey,
        InboundMessage,
        LinkState,
        UnacknowledgedInbound,
    )
    from parlour.channels.carriers_file import CarrierSettings, ConfiguredCarrier
    from parlour.config import Settings

_OTHERS = 0o077


class _NoSink:
    """The sink of a carrier that is only checked: its network has to deliver to the server."""

    async def inbound(self, message: InboundMessage) -> InboundKey:
        raise CarrierUnavailable(f"{message.provider_id} is for the server")

    def acknowledged(self, key: InboundKey) -> None:
        raise CarrierUnavailable(f"{key.provider_id} is for the server")

    async def unacknowledged(self) -> list[UnacknowledgedInbound]:
        return []

    async def acknowledgements_recorded(self) -> None:
        """Return: none is recorded."""

    async def report(self, report: DeliveryReport) -> None:
        raise CarrierUnavailable(f"{report.provider_id} is for the server")


async def _no_medium(account_sid: str, media_sid: str) -> AsyncIterator[bytes]:
    raise CarrierUnavailable(f"{account_sid} {media_sid}: a check sends no message")


async def check_carriers(settings: Settings, carriers: CarrierSettings) -> list[Finding]:
    """Return the findings about the carriers file. Raises CarriersFileError."""
    links = [
        _check_links(each, settings) for name, each in carriers.carriers.items() if name != VIRTUAL
    ]
    found = [finding for findings in await asyncio.gather(*links) for finding in findings]
    return [*found, *check_carriers_file(settings, carriers)]


def check_carriers_file(settings: Settings, carriers: CarrierSettings) -> list[Finding]:
    """Return the findings about the file alone, without connecting to a carrier."""
    return [
        *_check_mode(Path(settings.carriers)),
        *_check_routes(carriers),
        *_check_patterns(carriers),
        *_check_owners(settings, carriers),
    ]


async def _check_links(carrier: ConfiguredCarrier, settings: Settings) -> list[Finding]:
    """Return a finding for each link of a carrier that cannot be opened."""
    async with operator_egress() as egress:
        made = carrier.make(
            CarrierContext(
                sink=_NoSink(),
                egress=egress,
                clock=SystemClock(),
                random=SystemRandom(),
                callback_url=callback_url(settings.public_url, carrier.name),
                open_medium=_no_medium,
            )
        )
        without_callbacks = isinstance(made, HttpCarrier) and not settings.public_url
        found = [_callback_finding(carrier)] if without_callbacks else []
        try:
            async with asyncio.timeout(limits.CARRIER_CHECK_SECONDS_MAX):
                down = [each for each in await made.check() if not each.is_up]
        except TimeoutError:
            seconds = limits.CARRIER_CHECK_SECONDS_MAX
            return [*found, _link_finding(carrier, f"did not respond within {seconds} seconds")]
        except Exception as error:  # noqa: BLE001 - a third party's carrier may raise anything.
            problem = f"cannot be checked: {type(error).__name__}: {error}"
            return [*found, _link_finding(carrier, problem)]
    return [*found, *(_link_finding(carrier, _describe_link(each)) for each in down)]


def _describe_link(link: LinkState) -> str:
    detail = link.detail.rstrip(".") or "no reason given"
    return f"is not connected: {link.name}: {detail}"


def _callback_finding(carrier: ConfiguredCarrier) -> Finding:
    return Finding(
        f"There is no public URL: the carrier {carrier.name} ({carrier.type_name}) gets no "
        "delivery reports, and its network cannot pass messages on.",
        "Set --public-url to the URL at which that network reaches this server.",
        is_unsafe=False,
    )


def _link_finding(carrier: ConfiguredCarrier, problem: str) -> Finding:
    return Finding(
        f"The carrier {carrier.name} ({carrier.type_name}) {problem}.",
        f"Compare its section ({carrier.where}) with the access data of the operator of that "
        "network, and check that this machine reaches it.",
    )


def _check_mode(path: Path) -> Iterator[Finding]:
    if path.stat().st_mode & _OTHERS:
        yield Finding(
            f"{path} is open to other users, and may contain secrets.",
            f"chmod 600 {path}, or keep its secrets in variables or files.",
            is_unsafe=False,
        )


def _check_owners(settings: Settings, carriers: CarrierSettings) -> Iterator[Finding]:
    """Yield a finding for each owner of numbers that is not an active account.

    Of the embedded database only; with another one the start of the server logs unknown owners.
    """
    path = settings.data / DATABASE_NAME
    owners = sorted({each.account_sid for each in carriers.numbers})
    if settings.database or not path.exists():
        return
    try:
        statuses = account_statuses(path, owners)
    except (DamagedDatabaseError, OSError):
        return  # Reported by the checks of the database.
    for owner in owners:
        status = statuses.get(owner)
        if status != ACTIVE:
            problem = "does not exist" if status is None else f"is {status}"
            yield Finding(
                f"The account {owner}, which owns numbers of the carriers file, {problem}.",
                "Its numbers receive no messages: correct the owner, or activate the account.",
                is_unsafe=False,
            )


def _check_routes(carriers: CarrierSettings) -> Iterator[Finding]:
    """Yield a finding for numbers whose messages would fail: no route, or a wrong one."""
    missing = []
    for number in carriers.numbers:
        address = parse_proxy_address(number.address)
        assert address is not None, number.address
        name = carriers.find_carrier(address.type, address.text)
        if name is None:
            missing.append(address.text)
        elif address.type not in carriers.carriers[name].carrier_type.channels:
            yield Finding(
                f"{address.text} is routed to {name}, which does not carry {address.type}.",
                "Add a route for that channel to another carrier.",
            )
    if missing:
        others = len(missing) - 1
        more = f" and {others} other{'s' if others > 1 else ''}" if others else ""
        yield Finding(
            f"No route covers the number {missing[0]}{more}: messages from there fail with 63007.",
            "Add [[routes]] with its sender, prefix or channel to the carriers file.",
            is_unsafe=False,
        )


def _check_patterns(carriers: CarrierSettings) -> Iterator[Finding]:
    """Yield a finding for routes by sender or prefix that cover no number, such as a typo."""
    addresses = [parse_proxy_address(each.address) for each in carriers.numbers]
    for route in carriers.routes:
        if route.kind == "channel" or not carriers.numbers:
            continue
        if not any(each and route.covers(each.type, each.text) for each in addresses):
            yield Finding(
                f"The route of the {route.kind} {route.pattern} to {route.carrier} covers none of "
                "the numbers.",
                "Correct it, with the plus sign of international numbers, or remove it.",
                is_unsafe=False,
            )
