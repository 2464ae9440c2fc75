"""``parlour trigger``: cause an event on a running server in test mode."""

from __future__ import annotations

from typing import Final

import click

from parlour.cli.server_client import ServerClient, as_line, json_option, server_options
from parlour.cli.set_option import set_option

_TRIGGERS: Final = "/parlour/v1/Triggers"


@click.command("trigger")
@click.argument("event")
@set_option
@server_options
@json_option
def command(
    client: ServerClient, *, event: str, assignments: tuple[tuple[str, str], ...], as_json: bool
) -> None:
    """Make the change that causes an event such as onMessageAdded, and show its objects.

    What it needs is created, unless --set names it: ConversationSid, ParticipantSid, MessageSid,
    UserSid, Identity, Address.
    """
    result = client.post(_TRIGGERS, [("EventType", event), *assignments])
    if as_json:
        click.echo(as_line(result))
        return
    number = "not yet" if result["sequence"] is None else f"event {result['sequence']}"
    click.echo(f"{result['event_type']}  {number}")
    for name, sid in result["sids"].items():
        note = "  (created)" if name.removesuffix("_sid") in result["created"] else ""
        click.echo(f"    {name:22} {sid}{note}")
