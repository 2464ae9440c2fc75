"""``parlour requests``: the calls of programs, from the journal of a running server."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

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
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUESTS: Final = "/parlour/v1/Requests"
_SHOWN: Final = 50
_METHOD_WIDTH: Final = 6


@click.command("requests")
@click.option("--follow", is_flag=True, help="Wait for new requests, until interrupted.")
@click.option("--limit", default=_SHOWN, show_default=True, help="How many of the past are shown.")
@click.option("--operation", help="An operation, as CreateUser.")
@click.option("--status", type=int, help="The HTTP status of the response.")
@click.option("--code", type=int, help="The error code of the response.")
@click.option("--source", type=click.Choice(("rest", "sdk")))
@click.option("--identity", help="The user whose client made the request.")
@click.option("--conversation", "conversation_sid", help="The SID of a conversation.")
@server_options
@json_option
def command(
    client: ServerClient, *, follow: bool, limit: int, as_json: bool, **given: str | int | None
) -> None:
    """Show the requests of programs and client SDKs, the newest last."""
    names = {
        "operation": "Operation",
        "status": "Status",
        "code": "Code",
        "source": "Source",
        "identity": "Identity",
        "conversation_sid": "ConversationSid",
    }
    filters = fields([(names[name], value) for name, value in given.items()], ())
    past = list(islice(client.rows(_REQUESTS, "requests", filters), limit))
    for request in reversed(past):
        _show(request, as_json=as_json)
    if follow:
        for request in _new(client, filters, past[0]["sid"] if past else None):
            _show(request, as_json=as_json)


def _new(
    client: ServerClient, filters: list[tuple[str, str]], last: str | None
) -> Iterator[dict[str, Any]]:
    """Yield the requests after the last one, in order."""
    query = [*filters, ("Wait", str(limits.LIST_WAIT_SECONDS_MAX))]
    while True:  # Ends with an interrupt of the terminal.
        after = [("After", last)] if last else []
        page = following.page_of(client, _REQUESTS, [*query, *after], retries=True)
        # The list is newest first.
        found = [*page["requests"]]
        while page["meta"]["next_page_url"]:
            page = client.get_page(page["meta"]["next_page_url"])
            found += page["requests"]
        yield from reversed(found)
        last = found[0]["sid"] if found else last


def _show(request: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(as_line(request))
        return
    code = f" {request['code']}" if request["code"] else ""
    what = request["path"] or request["operation"] or ""
    notes = [request["operation"]] if request["operation"] and request["path"] else []
    notes += [request["identity"]] if request["identity"] else []
    notes += [f"fault {request['fault']}"] if request["fault"] else []
    note = f"  ({printable(', '.join(notes))})" if notes else ""
    head = f"{request['date']}  {request['status']}{code}  {request['method']:{_METHOD_WIDTH}}"
    click.echo(f"{head}  {printable(what)}  {request['elapsed_ms']} ms{note}")
