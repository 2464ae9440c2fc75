"""Reading the webhook log, and replaying what stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.protocol.pages import PageRequest, Position
from parlour.resources.webhook_attempts import store
from parlour.vocabulary import events, limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.webhook_attempts.parameters import (
        ListWebhookAttempts,
        ReplayWebhookAttempts,
    )
    from parlour.resources.webhook_attempts.store import (
        Filters,
        Logged,
        WebhookDelivery,
    )
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Replayed(msgspec.Struct, frozen=True):
    """What a replay of a range came to.

    ``last_attempt_sid`` and ``until_ms`` are what to say to go on when there ``is_more``.
    """

    deliveries: int
    is_more: bool
    last_attempt_sid: str | None
    until_ms: int


async def list_webhook_attempts(tx: Transaction, call: Call[ListWebhookAttempts]) -> Rows:
    """A page of the account's attempts, newest first."""
    filters = call.said().filters()
    return Rows(await store.page(tx, call.scope, filters, call.page_request), order="sid")


async def fetch_webhook_attempt(tx: Transaction, call: Call[NoParameters]) -> Logged:
    """One attempt."""
    return await _in_path(tx, call)


async def _in_path(tx: Transaction, call: Call[Any]) -> Logged:
    sid = call.path["Sid"]
    found = None
    if sids.is_sid(sids.WEBHOOK_ATTEMPT, sid):
        found = await store.find(tx, call.scope, sids.normal(sid))
    if found is None:
        raise call.not_found()
    return found


async def replay_webhook_attempt(tx: Transaction, call: Call[NoParameters]) -> Logged:
    """Make the delivery of an attempt once more, under the same token."""
    logged = await _in_path(tx, call)
    delivery = logged.delivery
    if delivery is None:
        raise ApiError(20001, "The request of this attempt is not kept: it cannot be replayed.")
    if not await store.reopen(tx, call.scope, delivery):
        raise ApiError(20001, "A pre-action webhook cannot be replayed.")
    await _tell(tx, call.scope, logged.sid, [delivery])
    return await _in_path(tx, call)


async def replay_webhook_attempts(tx: Transaction, call: Call[ReplayWebhookAttempts]) -> Replayed:
    """Make the deliveries of a range of attempts once more, oldest first."""
    said = call.said()
    given = said.given()
    until_ms = given.get("until", tx.now)
    filters = said.filters()
    bounded = msgspec.structs.replace(filters, before_sid=store.attempt_sid_at(until_ms))
    return await replay_range(tx, call.scope, bounded, given.get("after", ""), until_ms)


async def replay_range(
    tx: Transaction, scope: Scope, filters: Filters, after_sid: str, until_ms: int
) -> Replayed:
    """Reopen what a bounded number of attempts was about; each delivery once."""
    mark = max(after_sid, filters.from_sid)
    # Before a position in a list that begins with the newest: the oldest come first.
    request = PageRequest(0, limits.REPLAYED_ATTEMPTS_MAX, Position(mark, mark, backwards=True))
    found = await store.page(tx, scope, filters, request)
    chosen = found[: limits.REPLAYED_ATTEMPTS_MAX]
    deliveries = {
        (each.delivery.event_sequence, each.delivery.target_key): each.delivery
        for each in chosen
        if each.delivery is not None
    }
    replayed = [each for each in deliveries.values() if await store.reopen(tx, scope, each)]
    last = chosen[-1].sid if chosen else None
    if last is not None and replayed:
        await _tell(tx, scope, last, replayed)
    return Replayed(len(replayed), len(found) > len(chosen), last, until_ms)


async def _tell(
    tx: Transaction, scope: Scope, subject_sid: str, replayed: list[WebhookDelivery]
) -> None:
    """Tell what delivers: there is something to do that no new event brought."""
    reopened = [each for each in replayed if each.state != store.PENDING]
    await tx.emit(
        scope,
        events.WEBHOOKS_REPLAYED,
        subject_sid=subject_sid,
        payload={
            "reopened": len(reopened),
            "lanes": sorted({each.lane for each in replayed}),
        },
    )
