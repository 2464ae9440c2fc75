"""Statements run only by the delivery of webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.delivery import give_up
from parlour.protocol.pages import PagePosition, PageRequest
from parlour.resources.messages import store as message_store
from parlour.resources.operator_accounts import store as operator_account_store
from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import AttemptFilters, LoggedOutcome
from parlour.resources.webhook_retries import store as webhook_retries_store
from parlour.store import event_log, webhook_queue
from parlour.store.webhook_queue import DeliveryState, WebhookDelivery
from parlour.vocabulary.scope import Scope
from tests.security.tenants.valid_forms import URL

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from tests.security.tenants.twin_accounts import AccountObjects

EVENT_NAME = "onMessageAdded"
LANE = 7
NO_ACCOUNT = "AC" + "e" * 32
WEBHOOK_SID = "WH" + "0" * 32
LAST_SID = "NO" + "f" * 32


async def run_statements(tx: Transaction, world: AccountObjects) -> None:
    """Queue a few deliveries, deliver one, replay it, and drop all."""
    scope = Scope(world.sid, world.default.sid)
    queued = [_delivery(tx, world, number) for number in (101, 102, 103, 104)]
    assert [(await webhook_queue.add(tx, each))[1] for each in queued] == [tx.now, *[None] * 3]
    assert await webhook_queue.heads(tx, world.sid, URL, 10)
    foreign = msgspec.structs.replace(queued[0], account_sid=NO_ACCOUNT, url=f"{URL}/later")
    await webhook_queue.add(tx, foreign)
    assert await webhook_queue.waiting_urls(tx, world.sid, 10) == [URL]
    assert await webhook_queue.record_result(tx, foreign, DeliveryState.DELIVERED, 0, None) == 1
    backlog = await webhook_queue.measure_url(tx, world.sid, URL)
    assert (backlog.waiting.count, backlog.lanes.count) == (len(queued), 1)
    assert await webhook_queue.oldest_date(tx, world.sid) == tx.now
    waiting = await operator_account_store.count_waiting_up_to(tx, scope, 10)
    assert waiting.count == len(queued)
    assert await webhook_queue.count_of(tx, world.sid) == len(queued)
    assert len(await webhook_queue.following(tx, world.sid, LANE, 101)) == 3
    assert await webhook_queue.record_result(tx, queued[0], DeliveryState.DELIVERED, 0, None) == 1
    assert await webhook_queue.promote(tx, world.sid, LANE)
    # Later deliveries become due at once.
    retried, due_ms = DeliveryState.PENDING, tx.now + 60_000
    assert await webhook_queue.record_result(tx, queued[1], retried, 1, due_ms) == 1
    assert await webhook_queue.reopen(tx, scope, queued[1])
    assert await webhook_queue.record_result(tx, queued[1], retried, 1, due_ms) == 1
    assert await webhook_queue.make_url_due(tx, world.sid, URL) == 1
    delivered = msgspec.structs.replace(queued[0], state=DeliveryState.DELIVERED)
    assert await webhook_queue.reopen(tx, scope, delivered)
    assert len(await give_up.drop_oldest(tx, world.sid, 2)) == 2
    here = world.default.chain["Conversations"]
    assert await scoped_webhook_store.is_scoped_webhook_detached(tx, scope, here, WEBHOOK_SID)
    # Of a detached webhook only a failing lane is stopped.
    assert await webhook_queue.record_result(tx, queued[2], DeliveryState.PENDING, 1, tx.now) == 1
    assert (
        await webhook_queue.record_result(
            tx, queued[3], DeliveryState.PENDING, 1, tx.now + (1 << 40)
        )
        == 1
    )
    assert await webhook_queue.cap_due(tx, world.sid) == 1
    assert len(await give_up.stop_removed(tx, world.sid, LANE, WEBHOOK_SID)) == 2
    await _read(tx, scope, world)
    hosted, durable = webhook_retries_store.HOSTED, webhook_retries_store.DURABLE
    for schedule in (hosted, None, durable, hosted):
        chosen = webhook_retries_store.WebhookRetries(world.sid, schedule)
        await webhook_retries_store.save_webhook_retries(tx, scope, chosen)
        assert await webhook_retries_store.get_webhook_retries(tx, scope) == chosen


async def _read(tx: Transaction, scope: Scope, world: AccountObjects) -> None:
    # The intake runs this only if an event is no later than its webhook.
    assert await event_log.attached_at(tx, scope, world.default.chain["Webhooks"])
    lobby_sid = world.default.chain["Conversations"]
    for filters in (
        AttemptFilters(conversation_sid=lobby_sid),
        AttemptFilters(outcome=LoggedOutcome.STOPPED),
        AttemptFilters(event_name=EVENT_NAME),
        AttemptFilters(),
    ):
        found = await webhook_attempt_store.list_attempts(
            tx, scope, filters, PageRequest(0, 10, None)
        )
        assert found, filters
        for position in (PagePosition(LAST_SID, LAST_SID), PagePosition("", "", backwards=True)):
            assert await webhook_attempt_store.list_attempts(
                tx, scope, filters, PageRequest(0, 10, position)
            ), position
    assert await message_store.list_messages_between(tx, scope, lobby_sid, 0, 10, 10)
    await _read_linked(tx, scope)


async def _read_linked(tx: Transaction, scope: Scope) -> None:
    """Find attempts by their delivery and by their URL."""
    (first, *_) = await webhook_attempt_store.list_attempts(
        tx, scope, AttemptFilters(outcome=LoggedOutcome.STOPPED), PageRequest(0, 10, None)
    )
    key = await webhook_attempt_store.find_delivery_key(tx, scope, first.sid)
    assert key is not None
    assert await webhook_queue.end_of_event(tx, scope, key.event_sequence)
    assert await event_log.sequence_before(tx, tx.now + 1)
    for position in (
        None,
        PagePosition(LAST_SID, LAST_SID),
        PagePosition("", "", backwards=True),
    ):
        page = PageRequest(0, 10, position)
        assert await webhook_attempt_store.list_attempts_of(
            tx, scope, AttemptFilters(), key, page
        ), position
        assert await webhook_attempt_store.list_attempts_of_url(
            tx, scope, AttemptFilters(), URL, page
        ), position


async def run_statements_of_deleted(tx: Transaction, world: AccountObjects) -> None:
    """Find the pending webhook changes of a deleted conversation."""
    scope = Scope(world.sid, world.default.sid)
    assert await event_log.has_webhook_changes(tx, scope, 1)
    lobby_sid = world.default.chain["Conversations"]
    assert await event_log.next_webhook_change(tx, scope, lobby_sid, 1)
    await event_log.webhook_change_is_pending(tx, scope, lobby_sid)


def _delivery(tx: Transaction, world: AccountObjects, number: int) -> WebhookDelivery:
    return WebhookDelivery(
        account_sid=world.sid,
        event_sequence=number,
        target_key="conversation",
        service_sid=world.default.sid,
        conversation_sid=world.default.chain["Conversations"],
        event_name=EVENT_NAME,
        scope="conversation",
        webhook_sid=WEBHOOK_SID,
        url=URL,
        method="POST",
        retry_limit=None,
        token=str(number),
        parameters="{}",
        lane=LANE,
        lane_order=number,
        state=DeliveryState.PENDING,
        retry_count=0,
        due_ms=tx.now,
        date_queued=tx.now,
        date_updated=tx.now,
    )
