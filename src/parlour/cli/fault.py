"""``parlour fault``: failures that a server in test mode injects."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import click

from parlour.cli.server_client import (
    ServerClient,
    as_line,
    json_option,
    printable,
    server_options,
)
from parlour.cli.set_option import fields, set_option

_FAULTS: Final = "/parlour/v1/Faults"
_TARGETS: Final = ("request", "socket", "webhook", "carrier")
# Shown only if they differ.
_DEFAULTS: Final[dict[str, Any]] = {
    "scope": "account",
    "skip": 0,
    "times": 1,
    "probability": 1.0,
    "phase": "before",
    "delay_ms": 0,
}
# Shown in front, or not at all.
_UNLISTED: Final = frozenset(
    {"sid", "account_sid", "target", "name", "matched", "fired", "left", "date_created", "url"}
)


@click.group("fault")
def command() -> None:
    """Faults of a server in test mode: add, list and clear them."""


@command.command("add")
@click.argument("target", type=click.Choice(_TARGETS))
@click.option("--name", help="Its name, which the injected answer carries.")
@click.option("--times", type=int, help="How often it acts: 1 by default, 0 until it is cleared.")
@click.option("--skip", type=int, help="How many calls it leaves alone first.")
@click.option("--server", "is_server", is_flag=True, help="For all accounts.")
@set_option
@server_options
@json_option
def add(
    client: ServerClient,
    *,
    target: str,
    name: str | None,
    times: int | None,
    skip: int | None,
    is_server: bool,
    assignments: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Add a fault for calls of the target, which matches calls and acts by the values of --set.

    For example: parlour fault add request --set Operation=CreateUser --set Status=503
    """
    given = [
        ("Target", target),
        ("Name", name),
        ("Times", times),
        ("Skip", skip),
        ("Scope", "server" if is_server else None),
    ]
    _show(client.post(_FAULTS, fields(given, assignments)), as_json=as_json)


@command.command("list")
@server_options
@json_option
def list_(client: ServerClient, *, as_json: bool) -> None:
    """List the faults, with how often they matched and acted."""
    for fault in client.rows(_FAULTS, "faults"):
        _show(fault, as_json=as_json)


@command.command("clear")
@click.argument("sids", metavar="[SID]...", nargs=-1)
@server_options
@json_option
def clear(client: ServerClient, *, sids: tuple[str, ...], as_json: bool) -> None:
    """Remove faults: these, or all of the account."""
    for sid in sids:
        client.delete(f"{_FAULTS}/{quote(sid, safe='')}")
    if not sids:
        client.delete(_FAULTS)
    if as_json:
        click.echo(as_line({"cleared": list(sids) or "all"}))


def _show(fault: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(as_line(fault))
        return
    name = f"  {printable(fault['name'])}" if fault["name"] else ""
    left = "until cleared" if fault["left"] is None else f"{fault['left']} left"
    click.echo(
        f"{fault['sid']}  {fault['target']}{name}"
        f"  matched {fault['matched']}, fired {fault['fired']}, {left}"
    )
    shown = [f"{each}={_text(value)}" for each, value in fault.items() if _is_shown(each, value)]
    if shown:
        click.echo(f"    {'  '.join(shown)}")


def _is_shown(name: str, value: Any) -> bool:
    if name in _UNLISTED or value is None or value is False or value == []:
        return False
    return name not in _DEFAULTS or bool(value != _DEFAULTS[name])


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return printable(str(value).lower() if isinstance(value, bool) else str(value))
