"""``parlour carriers``: the carriers of the file, a test message, and inbound messages given up."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from parlour.cli import carriers_inbound
from parlour.cli.carrier_trial import (
    CarrierTrial,
    CarrierTrialError,
    TrialMessage,
    check_route,
    choose_sender,
)
from parlour.cli.carriers_file import read_carriers
from parlour.cli.command_errors import report_errors
from parlour.cli.options import settings_of, settings_options
from parlour.protocol.addresses import parse_address, parse_proxy_address
from parlour.resources.accounts import store as account_store
from parlour.resources.carrier_numbers.store import VIRTUAL
from parlour.store.engines import database_exists, describe_database, make_store
from parlour.store.master_key import open_vault
from parlour.vocabulary.clock import SystemClock, SystemRandom
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.channels.carriers_file import CarrierSettings
    from parlour.cli.carrier_trial import TrialResult
    from parlour.config import Settings
    from parlour.protocol.addresses import ChannelAddress
    from parlour.store.transaction import Store


@click.group("carriers")
def command() -> None:
    """Carriers: the networks that bring messages to phones and mailboxes."""


command.add_command(carriers_inbound.command)


def _carriers(settings: Settings) -> CarrierSettings:
    from parlour.channels.carriers_file import without_file  # noqa: PLC0415 - unless used.

    return read_carriers(settings) or without_file()


@command.command("list")
@settings_options("carriers")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_(*, carriers: str, as_json: bool) -> None:
    """List the carriers of the file: type, channels and routes."""
    found = _carriers(settings_of({"carriers": carriers}))
    width = max(map(len, found.carriers))
    for name, each in found.carriers.items():
        routes = [
            f"{route.kind} {route.pattern}" for route in found.routes if route.carrier == name
        ]
        if not found.checksum and name == VIRTUAL:
            routes = ["channel *"]
        channels = sorted(each.carrier_type.channels)
        if as_json:
            shown = {"name": name, "type": each.type_name, "channels": channels, "routes": routes}
            click.echo(json.dumps(shown))
        else:
            routed = ", ".join(routes[:3]) + (f" and {len(routes) - 3} more" if routes[3:] else "")
            kind = f"{each.type_name} ({', '.join(channels)})"
            click.echo(f"{name:{width}}  {kind}  {routed or 'no routes'}")


@command.command("test")
@click.argument("name")
@click.option("--to", "recipient", required=True, help="The address that gets the message.")
@click.option("--from", "sender", default="", help="The sender; else a number of the file.")
@click.option("--body", default="A test message of Parlour", show_default=True, help="Its text.")
@click.option("--account", "account_sid", default="", help="The account; else the sender's owner.")
@click.option(
    "--wait", type=click.IntRange(1, 3600), default=60, show_default=True, help="In seconds."
)
@settings_options("carriers", "data", "database")
def test(*, name: str, recipient: str, sender: str, wait: int, **values: Any) -> None:
    """Send one message through a carrier of the running server, and follow its receipt.

    The status is 0 if the network accepted the message, and reported no failure.
    """
    body, account_sid = values.pop("body"), values.pop("account_sid")
    settings = settings_of(values)
    carriers = _carriers(settings)
    try:
        with report_errors():
            sides = _sides(carriers, name, sender, recipient)
            result = asyncio.run(_run(settings, carriers, sides, (account_sid, body), wait))
    except (CarrierTrialError, ApiError) as error:
        raise click.ClickException(str(error)) from error
    if not result.is_good:
        raise SystemExit(1)


def _sides(
    carriers: CarrierSettings, name: str, sender: str, recipient: str
) -> tuple[ChannelAddress, ChannelAddress]:
    """Return the checked addresses of sender and recipient. Raises CarrierTrialError."""
    if name not in carriers.carriers:
        known = ", ".join(carriers.carriers)
        hint = "" if carriers.checksum else "; name the server's carriers file with --carriers"
        raise CarrierTrialError(f"there is no carrier {name}; the carriers are {known}{hint}")
    to = parse_address(recipient)
    if to is None:
        raise CarrierTrialError(f"--to {recipient} is no address, such as +15550100001")
    by = parse_proxy_address(sender or choose_sender(carriers, name, to.type))
    if by is None:
        raise CarrierTrialError(f"--from {sender} is no address, such as +15550100001")
    if by.type != to.type:
        raise CarrierTrialError(f"--from is an address of {by.type}, and --to of {to.type}")
    check_route(carriers, name, by)
    return by, to


async def _run(
    settings: Settings,
    carriers: CarrierSettings,
    sides: tuple[ChannelAddress, ChannelAddress],
    given: tuple[str, str],
    seconds_max: int,
) -> TrialResult:
    sender, recipient = sides
    account_sid, body = given
    if not await database_exists(settings.database, settings.data):
        place = settings.data.absolute()
        raise CarrierTrialError(f"there is no store in {place}: name the server's with --data")
    random = SystemRandom()
    store = make_store(settings.database, settings.data, SystemClock(), random, connections=1)
    try:
        await store.start()
        described = describe_database(settings.database, settings.data)
        vault = await open_vault(store, settings.data, random, described)
        account_sid = account_sid or await _account_of(store, carriers, sender.text)
        message = TrialMessage(account_sid, sender, recipient, body)
        return await CarrierTrial(store, vault).run(carriers, message, seconds_max, click.echo)
    finally:
        await store.close()


async def _account_of(store: Store, carriers: CarrierSettings, sender: str) -> str:
    """Return the owner of a sender, or the only account. Raises CarrierTrialError."""
    for number in carriers.numbers:
        if number.address == sender:
            return number.account_sid
    found = await store.read(lambda tx: account_store.list_accounts(tx, "", 2))
    if len(found) != 1:
        raise CarrierTrialError("there are several accounts: name one with --account" if found
                               else "there is no account: create one")  # fmt: skip
    return found[0].sid
