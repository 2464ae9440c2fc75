"""Webhook intake: from the event log to the queue of deliveries on disk.

First a read: most events have no webhook, and cost no more than that. For the others one
transaction writes their deliveries and the position of the sink, so that a crash neither loses nor
duplicates any. The webhooks of an event do not depend on when it is read
(``webhook_settings.py``).

An event that cannot be decoded must not block the events of all accounts behind it, and must not be
lost without a trace: it gets an attempt in the webhook log with the outcome ``unreadable``, in the
same transaction. ``parameters.py`` checks at import that each event has a table of parameters.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import structlog

from parlour.delivery import give_up
from parlour.delivery.targets import replays_of, targets_of
from parlour.delivery.webhook_request import new_token
from parlour.delivery.webhook_settings import SettingsInForce
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import LoggedOutcome, WebhookAttempt
from parlour.resources.webhook_forms import UNREADABLE, post_parameters
from parlour.store import event_log, webhook_queue
from parlour.store.webhook_queue import DeliveryState, WebhookDelivery
from parlour.vocabulary import event_names, limits

if TYPE_CHECKING:
    from parlour.delivery.targets import WebhookTarget
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.clock import Random
    from parlour.vocabulary.event import Event

log = structlog.get_logger()

SETTINGS_EVENTS: Final = frozenset(
    {
        event_names.SCOPED_WEBHOOK_ADDED,
        event_names.SCOPED_WEBHOOK_CHANGED,
        event_names.WEBHOOKS_REPLAYED,
    }
)
"""Events that change the queue, regardless of the webhooks of their conversation."""

_encode = msgspec.json.Encoder().encode


class _RemovedWebhook(msgspec.Struct):
    """The fields of a detached webhook that are needed."""

    sid: str
    url: str | None
    conversation_sid: str


class _WebhookChange(msgspec.Struct):
    """The fields of a change of a scoped webhook that are needed."""

    scoped_webhook: _RemovedWebhook
    is_removed: bool


class _Reopened(msgspec.Struct):
    """The fields of a replay: the number of reopened deliveries, and the lanes of all."""

    reopened: int
    lanes: list[int] = []


_change = msgspec.json.Decoder(_WebhookChange).decode
_replayed = msgspec.json.Decoder(_Reopened).decode


class Matched(NamedTuple):
    """An event with its webhooks, or with the error of decoding it."""

    event: Event
    targets: list[WebhookTarget]
    error: str | None = None


class WebhookReplay(NamedTuple):
    """A replay, and the number of deliveries that were not pending before it."""

    account_sid: str
    event_sequence: int
    reopened: int


class Enqueued(msgspec.Struct):
    """The changes of one transaction, to be applied to memory after its commit."""

    # queued   new deliveries; ``due_ms`` is None behind others of the lane
    # ended    pending deliveries that were dropped or stopped; their lanes are invalidated
    # replays  replays of deliveries; a search of their account finds these on disk
    queued: list[WebhookDelivery]
    ended: list[WebhookDelivery]
    replays: list[WebhookReplay]
    unreadable: int = 0


def lane_key(url: str, conversation_sid: str, subject_sid: str) -> int:
    """Return the lane of a URL and a conversation, or of a subject without a conversation."""
    # 64 bits: a collision is not expected.
    text = f"{url}\n{conversation_sid or subject_sid}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), signed=True)


class IntakeTransaction:
    """The two transactions of the intake: one that matches events, and one that queues them."""

    def __init__(self, sink: str, random: Random, *, studio_url: str) -> None:
        """``sink``: the name of the position; ``studio_url``: the server that starts flows."""
        self._sink = sink
        self._random = random
        self._studio_url = studio_url
        # An unknown commit is repeated: under the same SID an event is not logged twice.
        self._unreadable_sids: dict[int, str] = {}

    async def match(self, chunk: list[Event], tx: Transaction) -> list[Matched]:
        """Return the events that have webhooks, change the queue, or cannot be decoded."""
        matched: list[Matched] = []
        settings = SettingsInForce()
        for event in chunk:
            try:
                targets = await targets_of(tx, event, self._studio_url, settings=settings)
            except UNREADABLE as error:
                log.exception("webhook_event_decode_failed", sequence=event.sequence)
                matched.append(Matched(event, [], repr(error)))
                continue
            if targets or event.name in SETTINGS_EVENTS:
                matched.append(Matched(event, targets))
        return matched

    async def enqueue(
        self, matched: list[Matched], last: int, pending: Counter[str], tx: Transaction
    ) -> Enqueued:
        """Write the deliveries of some events and the position of the sink, in one transaction.

        ``last``: the number of the last event of the chunk. ``pending``: the number of pending
        deliveries of each account; beyond the maximum the oldest are dropped.
        """
        known, self._unreadable_sids = self._unreadable_sids, {}
        for event, _, _ in matched:
            if event.sequence in known:
                self._unreadable_sids[event.sequence] = known[event.sequence]
        made = Enqueued([], [], [])
        for event, targets, error in matched:
            if error is not None:
                await self._record_unreadable(tx, event, error, made)
                continue
            try:
                await self._enqueue_one(tx, event, targets, made)
            except UNREADABLE as raised:
                log.exception("webhook_event_decode_failed", sequence=event.sequence)
                await self._record_unreadable(tx, event, repr(raised), made)
        for account_sid, count in Counter(each.account_sid for each in made.queued).items():
            excess = pending[account_sid] + count - limits.DELIVERIES_PENDING_PER_ACCOUNT_MAX
            if excess > 0:
                # All of the excess: an event may have several webhooks, so more can be added than
                # one step drops.
                step = max(excess, limits.DELIVERIES_DROPPED_PER_STEP_MAX)
                made.ended += await give_up.drop_oldest(tx, account_sid, step)
        await event_log.save_position(tx, self._sink, last)
        return made

    async def _enqueue_one(
        self, tx: Transaction, event: Event, targets: list[WebhookTarget], made: Enqueued
    ) -> None:
        if event.name == event_names.WEBHOOKS_REPLAYED:
            replayed = _replayed(event.payload)
            made.replays.append(WebhookReplay(event.account_sid, event.sequence, replayed.reopened))
            for lane in replayed.lanes:
                # The deliveries ahead of it at the time of the replay may have ended since then;
                # without a head the lane would never be polled.
                await webhook_queue.promote(tx, event.account_sid, lane)
        elif event.name == event_names.SCOPED_WEBHOOK_CHANGED:
            await self._stop_removed(tx, event, made)
        elif event.name == event_names.SCOPED_WEBHOOK_ADDED:
            for part, (target, parameters) in enumerate(
                await replays_of(tx, event, self._studio_url)
            ):
                await self._queue(tx, self._delivery(tx, event, part, target, parameters), made)
        else:
            parameters = post_parameters(event)
            for part, target in enumerate(targets):
                await self._queue(tx, self._delivery(tx, event, part, target, parameters), made)

    @staticmethod
    async def _queue(tx: Transaction, delivery: WebhookDelivery, made: Enqueued) -> None:
        is_new, due_ms = await webhook_queue.add(tx, delivery)
        if is_new:
            made.queued.append(msgspec.structs.replace(delivery, due_ms=due_ms))

    def _delivery(
        self,
        tx: Transaction,
        event: Event,
        part: int,
        target: WebhookTarget,
        parameters: dict[str, str],
    ) -> WebhookDelivery:
        return WebhookDelivery(
            account_sid=event.account_sid,
            event_sequence=event.sequence,
            target_key=target.key,
            service_sid=event.service_sid,
            conversation_sid=event.conversation_sid,
            event_name=parameters["EventType"],
            scope=target.scope,
            webhook_sid=target.webhook_sid,
            url=target.url,
            method=target.method,
            retry_limit=target.retry_count,
            token=new_token(self._random),
            parameters=_encode(parameters).decode(),
            lane=lane_key(target.url, event.conversation_sid, event.subject_sid),
            lane_order=webhook_queue.live_order(event.sequence, part),
            state=DeliveryState.PENDING,
            retry_count=0,
            due_ms=tx.now,
            date_queued=tx.now,
            date_updated=tx.now,
        )

    async def _stop_removed(self, tx: Transaction, event: Event, made: Enqueued) -> None:
        """Stop the retries of a detached webhook, and the deliveries that wait behind a retry."""
        change = _change(event.payload)
        webhook = change.scoped_webhook
        if change.is_removed and webhook.url is not None:
            lane = lane_key(webhook.url, webhook.conversation_sid, "")
            made.ended += await give_up.stop_removed(tx, event.account_sid, lane, webhook.sid)

    async def _record_unreadable(
        self, tx: Transaction, event: Event, error: str, made: Enqueued
    ) -> None:
        """Log an event that cannot be decoded, as an attempt without a request."""
        text = f"the event cannot be read: {error}".replace("\0", "\N{REPLACEMENT CHARACTER}")
        sid = self._unreadable_sids.get(event.sequence) or webhook_attempt_store.new_attempt_sid(tx)
        self._unreadable_sids[event.sequence] = sid
        attempt = WebhookAttempt(
            account_sid=event.account_sid,
            sid=sid,
            event_sequence=event.sequence,
            target_key="",
            conversation_sid=event.conversation_sid,
            event_name=event.name,
            outcome=LoggedOutcome.UNREADABLE,
            date_created=tx.now,
            error=text[: limits.RESPONSE_BYTES_LOGGED_MAX],
        )
        await webhook_attempt_store.insert_attempt(tx, attempt)
        made.unreadable += 1
