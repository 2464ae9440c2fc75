"""``parlour webhooks``: the log of webhooks, replays, and retry schedules."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from parlour.cli.local_store import LocalStore, local_store_options
from parlour.protocol import timestamps
from parlour.protocol.pages import PagePosition, PageRequest
from parlour.resources.webhook_attempts import actions as webhook_attempt_actions
from parlour.resources.webhook_attempts import representation as webhook_attempt_representation
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_retries.actions import save_webhook_retries
from parlour.resources.webhook_retries.representation import row as retries_row
from parlour.resources.webhook_retries.store import SCHEDULES, WebhookRetries
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.resources.webhook_attempts.actions import ReplayResult
    from parlour.resources.webhook_attempts.store import AttemptFilters, LoggedAttempt
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_SHOWN_MAX = 1000


@click.group("webhooks")
def command() -> None:
    """Webhooks: their log, replays and retry schedules."""


def _filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--until", default="", help="Before this date (ISO 8601)."),
        click.option("--since", default="", help="Since this date (ISO 8601)."),
        click.option("--outcome", type=click.Choice(webhook_attempt_store.OUTCOMES)),
        click.option("--event", "event_name", default="", help="An event, as onMessageAdded."),
        click.option("--conversation", "conversation_sid", default="", help="A conversation."),
        click.argument("account_sid"),
    ):
        function = option(function)
    return function


def _moment(name: str, text: str) -> int:
    try:
        return timestamps.timestamp()(name, text)
    except ApiError as error:
        text = f"{text} is not a date such as 2026-01-31 or 2026-01-31T09:00:00Z"
        raise click.BadParameter(text, param_hint=f"--{name}") from error


def _filters(since: str, until: str, outcome: str | None, **given: str) -> AttemptFilters:
    bounds = {"outcome": outcome or ""}
    if since:
        bounds["from_sid"] = webhook_attempt_store.attempt_sid_at(_moment("since", since))
    if until:
        bounds["before_sid"] = webhook_attempt_store.attempt_sid_at(_moment("until", until))
    return webhook_attempt_store.AttemptFilters(**given, **bounds)


@command.command("list")
@_filter_options
@click.option("--limit", default=100, show_default=True, help="Maximum number of attempts.")
@local_store_options
def list_(
    local_store: LocalStore, *, account_sid: str, limit: int, as_json: bool, **given: str
) -> None:
    """List attempts at an account's webhooks, newest first."""
    filters, position = _filters(**given), None
    scope = local_store.scope_of(account_sid)
    left = min(limit, _SHOWN_MAX)
    while left > 0:
        request = PageRequest(0, min(left, 100), position)
        found = local_store.read(partial(_page, scope, filters, request))[: request.size]
        for logged in found:
            _show(webhook_attempt_representation.row(logged), as_json=as_json)
        if len(found) < request.size:
            return
        left -= len(found)
        position = PagePosition(found[-1].sid, found[-1].sid)


async def _page(
    scope: Scope, filters: AttemptFilters, request: PageRequest, tx: Transaction
) -> list[LoggedAttempt]:
    return await webhook_attempt_store.list_attempts(tx, scope, filters, request)


def _show(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(row))
        return
    request = row["request"] or {"method": "", "url": ""}
    result = row["response"]["status"] if row["response"] else row["error"]
    click.echo(
        f"{row['date_created']}  {row['sid']}  {row['outcome']:9}  {row['event_type']:26}"
        f"  {row['retry_count']}  {result}  {request['method']} {request['url']}"
    )


@command.command("replay")
@_filter_options
@local_store_options
def replay(local_store: LocalStore, *, account_sid: str, as_json: bool, **given: str) -> None:
    """Repeat the deliveries of attempts, oldest first; --since is required."""
    if not given["since"]:
        raise click.UsageError("--since is required: the date of the first attempt to replay")
    now = datetime.now(UTC) + timedelta(seconds=1)  # tidy: no-wall-clock - no server runs here
    until_ms = _moment("until", given["until"]) if given["until"] else int(now.timestamp() * 1000)
    given["until"] = timestamps.format_date(until_ms)
    filters, after, count = _filters(**given), "", 0
    scope = local_store.scope_of(account_sid)
    while True:  # Ends with the range: each batch is bounded and starts after the previous one.
        made = local_store.write(partial(_replay, scope, filters, after, until_ms))
        count += made.deliveries
        if not made.is_more or made.last_attempt_sid is None:
            break
        after = made.last_attempt_sid
    click.echo(json.dumps({"replayed": count}) if as_json else f"replayed {count}")


async def _replay(
    scope: Scope, filters: AttemptFilters, after: str, until_ms: int, tx: Transaction
) -> ReplayResult:
    return await webhook_attempt_actions.replay_range(tx, scope, filters, after, until_ms)


@command.command("retries")
@click.argument("account_sid")
@click.argument("schedule", type=click.Choice(SCHEDULES))
@local_store_options
def retries(local_store: LocalStore, *, account_sid: str, schedule: str, as_json: bool) -> None:
    """Set an account's retry schedule: durable (for a day), or that of the hosted API."""
    scope = local_store.scope_of(account_sid)
    chosen = WebhookRetries(account_sid, schedule)
    local_store.write(lambda tx: save_webhook_retries(tx, scope, chosen))
    click.echo(json.dumps(retries_row(chosen)) if as_json else f"{account_sid}  {schedule}")
