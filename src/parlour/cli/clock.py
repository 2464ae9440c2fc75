"""``parlour clock``: the clock of a running server in test mode."""

from __future__ import annotations

from typing import Any, Final

import click

from parlour.cli.server_client import ServerClient, as_line, json_option, server_options
from parlour.cli.set_option import fields

_CLOCK: Final = "/parlour/v1/Clock"


class _ClockGroup(click.Group):
    """Runs ``now`` if no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add the name of the default command; ``--help`` alone is of the group."""
        if args != ["--help"] and not any(each in self.commands for each in args[:1]):
            is_option = not args or args[0].startswith("-")
            args = ["now", *args] if is_option else args
        return super().parse_args(ctx, args)


@click.group("clock", cls=_ClockGroup)
def command() -> None:
    """The clock of a server in test mode: show it (the default), freeze it, advance it."""


@command.command("now")
@server_options
@json_option
def now(client: ServerClient, *, as_json: bool) -> None:
    """Show the time, the mode of the clock, and the next due date."""
    _show(client.get(_CLOCK), as_json=as_json)


@command.command("freeze")
@click.argument("date", required=False)
@server_options
@json_option
def freeze(client: ServerClient, *, date: str | None, as_json: bool) -> None:
    """Stop the clock, at a date if one is given, such as 2026-01-05T09:00:00Z."""
    _show(client.post(_CLOCK, fields([("Mode", "frozen"), ("Now", date)], ())), as_json=as_json)


@command.command("system")
@server_options
@json_option
def system(client: ServerClient, *, as_json: bool) -> None:
    """Return to the real time."""
    _show(client.post(_CLOCK, [("Mode", "system")]), as_json=as_json)


@command.command("advance")
@click.argument("duration", required=False)
@click.option("--to", "date", help="Advance to this date instead of by a duration.")
@click.option("--timeout", type=int, help="Seconds of real time that it may take.")
@server_options
@json_option
def advance(
    client: ServerClient,
    *,
    duration: str | None,
    date: str | None,
    timeout: int | None,
    as_json: bool,
) -> None:
    """Advance by a duration such as PT10M or P1D: everything that is due in between happens.

    The status is 1 if that has not ended within the timeout; a second command continues.
    """
    if (duration is None) == (date is None):
        raise click.UsageError("name a duration, or a date with --to")
    form = fields([("By", duration), ("To", date), ("Timeout", timeout)], ())
    result = client.post(f"{_CLOCK}/Advance", form)
    if as_json:
        click.echo(as_line(result))
    else:
        for each in result["fired"]:
            click.echo(f"{each['at']}  {each['what']}  {each['count']}")
        click.echo(f"{result['now']}  {result['steps']} steps in {result['elapsed_ms']} ms")
    if not result["settled"]:
        raise click.ClickException(f"not settled; waiting for {', '.join(result['waiting_for'])}")


def _show(clock: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(as_line(clock))
        return
    due = clock["next_due"]
    following = f"  next: {due['what']} at {due['at']}" if due else ""
    advancing = f"  advancing to {clock['target']}" if clock["status"] == "advancing" else ""
    click.echo(f"{clock['now']}  {clock['mode']}{advancing}{following}")
