"""``parlour carriers inbound``: inbound messages that the server could not process.

They are read from the store. The running server replays them: it finds the rows that are due.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from parlour.cli.local_store import LocalStore, local_store_options
from parlour.cli.server_client import printable
from parlour.resources.inbound import actions as inbound_actions
from parlour.resources.inbox import given_up_store as inbox_given_up_store
from parlour.resources.inbox import representation as inbox_representation

if TYPE_CHECKING:
    from parlour.resources.inbound.actions import InboundReplay
    from parlour.resources.inbox.store import InboxEntry
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_SHOWN_MAX = 1000
_PAGE_SIZE = 100


@click.group("inbound")
def command() -> None:
    """Inbound messages that the server could not process: list and replay them."""


@command.command("list")
@click.argument("account_sid")
@click.option("--limit", default=100, show_default=True, help="Maximum number of messages.")
@local_store_options
def list_(local_store: LocalStore, *, account_sid: str, limit: int, as_json: bool) -> None:
    """List the messages of an account that were given up, newest first."""
    scope = local_store.scope_of(account_sid)
    before, left = sys.maxsize, min(limit, _SHOWN_MAX)
    while left > 0:
        size = min(left, _PAGE_SIZE)
        found = local_store.read(partial(_page, scope, before, size))
        for entry in found:
            _show(inbox_representation.row(entry), as_json=as_json)
        if len(found) < size:
            return
        left -= size
        before = found[-1].sequence


async def _page(scope: Scope, before: int, size: int, tx: Transaction) -> list[InboxEntry]:
    return await inbox_given_up_store.list_given_up(tx, scope, before, size)


def _show(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(row))
        return
    sender = printable(row["from"] or "?")
    click.echo(
        f"{row['date_created']}  {row['sid']}  {printable(row['carrier'])}"
        f"  {sender} -> {printable(row['to'])}  {printable(row['reason'] or '')}"
    )


@command.command("replay")
@click.argument("account_sid")
@click.argument("sid", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every message that `list` shows by now.")
@local_store_options
def replay(
    local_store: LocalStore, *, account_sid: str, sid: str | None, is_all: bool, as_json: bool
) -> None:
    """Let the server process messages again, as new ones, oldest first: one by its SID, or all."""
    if is_all == (sid is not None):
        raise click.UsageError("name the SID of one message, or --all")
    scope = local_store.scope_of(account_sid)
    found = replayed = 0
    after, until = 0, None
    while True:  # Ends with the range: each batch is bounded and starts after the previous one.
        made = local_store.write(partial(_replay, scope, sid, after, until))
        found += made.found
        replayed += made.replayed
        if made.last_sequence is None:
            break
        after, until = made.last_sequence, made.until_sequence
    if sid is not None and not found:
        raise click.ClickException(f"no message {sid} of {account_sid} was given up")
    left = found - replayed
    if as_json:
        click.echo(json.dumps({"replayed": replayed, "left": left}))
    else:
        click.echo(f"replayed {replayed}")
    if left:
        click.echo(
            f"{left} left, as the inbox of {account_sid} is full: repeat the command later",
            err=True,
        )
        raise SystemExit(1)


async def _replay(
    scope: Scope, sid: str | None, after: int, until: int | None, tx: Transaction
) -> InboundReplay:
    if sid is not None:
        return await inbound_actions.replay_sid(tx, scope, sid)
    return await inbound_actions.replay_range(tx, scope, after, until)
