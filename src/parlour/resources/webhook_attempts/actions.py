"""Actions of the webhook log: list and fetch attempts, replay deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.operations.call import Rows
from parlour.protocol.pages import PagePosition, PageRequest
from parlour.resources.in_path import in_path
from parlour.resources.webhook_attempts import links as webhook_attempt_links
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.store import event_log, webhook_queue
from parlour.store.webhook_queue import DeliveryState
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.webhook_attempts.parameters import (
        ListWebhookAttempts,
        ReplayWebhookAttempts,
    )
    from parlour.resources.webhook_attempts.store import (
        AttemptFilters,
        DeliveryKey,
        LoggedAttempt,
    )
    from parlour.store.transaction import Transaction
    from parlour.store.webhook_queue import WebhookDelivery
    from parlour.vocabulary.scope import Scope


class ReplayResult(msgspec.Struct, frozen=True):
    """The result of a replay of a range.

    If ``is_more``, the next request continues with ``last_attempt_sid`` and ``until_ms``.
    """

    deliveries: int
    is_more: bool
    last_attempt_sid: str | None
    until_ms: int


_EXCLUSIVE: Final = frozenset({"event_cursor", "attempt_sid", "url"})
webhook_attempt_in_path = in_path(sids.WEBHOOK_ATTEMPT, webhook_attempt_store.find_attempt)


async def list_webhook_attempts(tx: Transaction, call: Call[ListWebhookAttempts]) -> Rows:
    """Return a page of the account's attempts, newest first.

    Raises 20001 for more than one of the filters by event, delivery and URL.
    """
    found = await _listed(tx, call)
    return Rows(await webhook_attempt_links.linked(tx, call, found), order="sid")


async def _listed(tx: Transaction, call: Call[ListWebhookAttempts]) -> list[LoggedAttempt]:
    given, page = call.parameters.given(), call.page_request
    filters = call.parameters.filters()
    if len(_EXCLUSIVE & given.keys()) > 1:
        raise ApiError(20001, "Only one of EventCursor, AttemptSid and Url is possible.")
    if "url" in given:
        return await webhook_attempt_store.list_attempts_of_url(
            tx, call.scope, filters, given["url"], page
        )
    if _EXCLUSIVE.isdisjoint(given):
        return await webhook_attempt_store.list_attempts(tx, call.scope, filters, page)
    if "attempt_sid" in given:
        key = await webhook_attempt_store.find_delivery_key(tx, call.scope, given["attempt_sid"])
    else:
        key = await _key_of_event(tx, call, given["event_cursor"])
    if key is None or filters.conversation_sid not in {"", key.conversation_sid}:
        return []
    return await webhook_attempt_store.list_attempts_of(tx, call.scope, filters, key, page)


async def _key_of_event(tx: Transaction, call: Call[Any], cursor: str) -> DeliveryKey | None:
    sequence = call.vault.event_cursors.parse(call.scope.account_sid, cursor)
    if sequence is None:
        raise ApiError.invalid("EventCursor")
    found = await event_log.find_by_sequences(tx, call.scope, [sequence])
    return await webhook_attempt_store.find_event_key(tx, call.scope, found[0]) if found else None


async def fetch_webhook_attempt(tx: Transaction, call: Call[NoParameters]) -> LoggedAttempt:
    """Return one attempt."""
    return await _linked_in_path(tx, call)


async def _linked_in_path(tx: Transaction, call: Call[Any]) -> LoggedAttempt:
    found = await webhook_attempt_in_path(tx, call)
    return (await webhook_attempt_links.linked(tx, call, [found]))[0]


async def replay_webhook_attempt(tx: Transaction, call: Call[NoParameters]) -> LoggedAttempt:
    """Reopen the delivery of an attempt, under the same token; return the attempt."""
    logged = await webhook_attempt_in_path(tx, call)
    delivery = logged.delivery
    if delivery is None:
        raise ApiError(20001, "The request of this attempt is not kept: it cannot be replayed.")
    if not await webhook_queue.reopen(tx, call.scope, delivery):
        raise ApiError(20001, "A pre-action webhook cannot be replayed.")
    await _emit_replayed(tx, call.scope, logged.sid, [delivery])
    return await _linked_in_path(tx, call)


async def replay_webhook_attempts(
    tx: Transaction, call: Call[ReplayWebhookAttempts]
) -> ReplayResult:
    """Reopen the deliveries of a range of attempts, oldest first; return how many."""
    given = call.parameters.given()
    until_ms = given.get("until", tx.now)
    filters = call.parameters.filters()
    bounded = msgspec.structs.replace(
        filters, before_sid=webhook_attempt_store.attempt_sid_at(until_ms)
    )
    return await replay_range(tx, call.scope, bounded, given.get("after", ""), until_ms)


async def replay_range(
    tx: Transaction, scope: Scope, filters: AttemptFilters, after_sid: str, until_ms: int
) -> ReplayResult:
    """Reopen the deliveries of a bounded number of attempts, each delivery once."""
    mark = max(after_sid, filters.from_sid)
    # The list starts with the newest: a backwards page before the mark yields the oldest first.
    request = PageRequest(0, limits.REPLAYED_ATTEMPTS_MAX, PagePosition(mark, mark, backwards=True))
    found = await webhook_attempt_store.list_attempts(tx, scope, filters, request)
    chosen = found[: limits.REPLAYED_ATTEMPTS_MAX]
    deliveries = {
        (each.delivery.event_sequence, each.delivery.target_key): each.delivery
        for each in chosen
        if each.delivery is not None
    }
    replayed = [each for each in deliveries.values() if await webhook_queue.reopen(tx, scope, each)]
    last = chosen[-1].sid if chosen else None
    if last is not None and replayed:
        await _emit_replayed(tx, scope, last, replayed)
    return ReplayResult(len(replayed), len(found) > len(chosen), last, until_ms)


async def _emit_replayed(
    tx: Transaction, scope: Scope, subject_sid: str, replayed: list[WebhookDelivery]
) -> None:
    """Emit the event that makes the webhook sink load the reopened deliveries."""
    # Only deliveries that were not pending increase the count of pending ones.
    reopened = [each for each in replayed if each.state != DeliveryState.PENDING]
    await tx.emit(
        scope,
        event_names.WEBHOOKS_REPLAYED,
        subject_sid=subject_sid,
        payload={
            "reopened": len(reopened),
            "lanes": sorted({each.lane for each in replayed}),
        },
    )
