"""``parlour events``: the committed changes of an account, from the event feed."""

from __future__ import annotations

from typing import Any, Final

import click

from parlour.cli import following
from parlour.cli.server_client import (
    ServerClient,
    as_line,
    json_option,
    printable,
    server_options,
)
from parlour.cli.set_option import fields
from parlour.vocabulary import event_names

EVENTS: Final = "/parlour/v1/Events"
_SUMMARIES: Final = ("Body", "FriendlyName", "StateTo", "Status", "Identity")
_WIDTH: Final = max(map(len, event_names.POST_ACTION))


@click.command("events")
@click.option("--follow", is_flag=True, help="Wait for new events, until interrupted.")
@click.option(
    "--after", help="The cursor to start after; by default the oldest, with --follow the newest."
)
@click.option("--type", "types", multiple=True, help="An event, as onMessageAdded; repeatable.")
@click.option("--conversation", "conversation_sid", help="The SID of a conversation.")
@click.option("--source", help="API, SDK, or a channel such as SMS.")
@click.option("--identity", help="The user whose client made the change.")
@server_options
@json_option
def command(
    client: ServerClient,
    *,
    follow: bool,
    after: str | None,
    types: tuple[str, ...],
    conversation_sid: str | None,
    source: str | None,
    identity: str | None,
    as_json: bool,
) -> None:
    """Show the committed changes of the account, oldest first."""
    given = [("ConversationSid", conversation_sid), ("Source", source), ("Identity", identity)]
    filters = fields([*(("EventType", each) for each in types), *given], ())
    start = after or (following.NOW if follow else following.START)
    for event in following.rows(client, EVENTS, "events", filters, after=start, follow=follow):
        click.echo(as_line(event) if as_json else _line(event))


def _line(event: dict[str, Any]) -> str:
    parameters = event["parameters"] or {}
    source = event["source"]
    if event["client_identity"]:
        source += f" {printable(event['client_identity'])}"
    summary = next((parameters[name] for name in _SUMMARIES if parameters.get(name)), "")
    silent = "" if event["fires_webhooks"] else "  (no webhooks)"
    line = (
        f"{event['date']}  {event['event_type']:{_WIDTH}}  {event['subject_sid']}"
        f"  {source}  {printable(summary)}"
    )
    return line.rstrip() + silent
