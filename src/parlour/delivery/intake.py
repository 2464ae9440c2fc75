"""What events are to be told as: from the event log to the queue of webhooks on disk.

First a look, without a transaction that could hold up anybody: most events have nobody to hear of
them, and cost nothing more. For the others one transaction writes their deliveries, and how far
the sink is then, so that a crash neither loses nor doubles any of them.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from parlour.delivery import webhook_queue as queue
from parlour.delivery.parameters import post_parameters
from parlour.delivery.targets import Webhooks, replays_of, targets_of
from parlour.delivery.webhook_request import new_token
from parlour.resources.webhook_attempts import store as rows
from parlour.resources.webhook_attempts.store import WebhookDelivery
from parlour.store import events as event_log
from parlour.vocabulary import events, limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.delivery.targets import Target
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.clock import Random
    from parlour.vocabulary.events import Event

    Heard = tuple[Event, list[Target]]

log = structlog.get_logger()

INTERNAL: Final = frozenset(
    {
        events.SCOPED_WEBHOOK_ADDED,
        events.SCOPED_WEBHOOK_CHANGED,
        events.WEBHOOKS_REPLAYED,
    }
)
# What a payload that nobody expected may raise. The store's own errors are not among them.
_POISON: Final = (LookupError, ValueError, TypeError, AssertionError, msgspec.MsgspecError)

_encode = msgspec.json.Encoder().encode


class _RemovedWebhook(msgspec.Struct):
    """What is read of a webhook that was detached."""

    sid: str
    url: str | None
    conversation_sid: str


class _WebhookChange(msgspec.Struct):
    """What is read of a change of a conversation's webhook."""

    scoped_webhook: _RemovedWebhook
    is_removed: bool


class _Reopened(msgspec.Struct):
    """What is read of a replay: how many were not pending before, and the lanes of all."""

    reopened: int
    lanes: list[int] = []


_change = msgspec.json.Decoder(_WebhookChange).decode
_replayed = msgspec.json.Decoder(_Reopened).decode


class Enqueued(msgspec.Struct):
    """What one transaction of the sink changed."""

    queued: list[WebhookDelivery]
    ended: list[WebhookDelivery]
    reopened_of: Counter[str]


def lane_of(url: str, conversation_sid: str, subject_sid: str) -> int:
    """The lane of a URL and a conversation; what has no conversation goes by its subject."""
    text = f"{url}\n{conversation_sid or subject_sid}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), signed=True)


class Intake:
    """Queues the webhooks of events."""

    def __init__(self, sink: str, random: Random, *, studio_url: str) -> None:
        """``sink``: under which name the position is kept; ``studio_url``: where flows start."""
        self._sink = sink
        self._random = random
        self._studio_url = studio_url

    async def heard(self, chunk: list[Event], tx: Transaction) -> list[Heard]:
        """Which of some events have webhooks to hear of them, or change what webhooks hear."""
        heard: list[Heard] = []
        webhooks = Webhooks()
        for event in chunk:
            with self._readable(event):
                targets = await targets_of(tx, event, self._studio_url, webhooks=webhooks)
                if targets or event.name in INTERNAL:
                    heard.append((event, targets))
        return heard

    @staticmethod
    @contextlib.contextmanager
    def _readable(event: Event) -> Iterator[None]:
        """Go on after an event that cannot be read: it must not stop all that come after it."""
        try:
            yield
        except _POISON:
            log.exception("webhook_event_unreadable", sequence=event.sequence)

    async def enqueue(
        self, heard: list[Heard], last: int, pending: Counter[str], tx: Transaction
    ) -> Enqueued:
        """One transaction: the deliveries of some events, and how far the sink is then.

        ``last``: the number of the last event that was looked at; ``pending``: how many
        deliveries of each account are waiting, of which there is a most.
        """
        made = Enqueued([], [], Counter())
        for event, targets in heard:
            with self._readable(event):
                await self._enqueue_one(tx, event, targets, made)
        for account_sid, count in Counter(each.account_sid for each in made.queued).items():
            excess = pending[account_sid] + count - limits.DELIVERIES_PENDING_PER_ACCOUNT_MAX
            if excess > 0:
                # As many at least as came: several webhooks may hear of each event.
                step = max(excess, limits.DELIVERIES_DROPPED_PER_STEP_MAX)
                made.ended += await queue.drop_oldest(tx, account_sid, step)
        await event_log.save_position(tx, self._sink, last)
        return made

    async def _enqueue_one(
        self, tx: Transaction, event: Event, targets: list[Target], made: Enqueued
    ) -> None:
        if event.name == events.WEBHOOKS_REPLAYED:
            replayed = _replayed(event.payload)
            made.reopened_of[event.account_sid] += replayed.reopened
            for lane in replayed.lanes:
                # What was before it when it was reopened may have been done meanwhile.
                await queue.promote(tx, event.account_sid, lane)
        elif event.name == events.SCOPED_WEBHOOK_CHANGED:
            await self._stop_removed(tx, event, made)
        elif event.name == events.SCOPED_WEBHOOK_ADDED:
            for part, (target, told) in enumerate(await replays_of(tx, event, self._studio_url)):
                await self._queue(tx, self._delivery(tx, event, part, target, told), made)
        else:
            told = post_parameters(event)
            for part, target in enumerate(targets):
                await self._queue(tx, self._delivery(tx, event, part, target, told), made)

    @staticmethod
    async def _queue(tx: Transaction, delivery: WebhookDelivery, made: Enqueued) -> None:
        is_new, due_ms = await queue.add(tx, delivery)
        if is_new:
            made.queued.append(msgspec.structs.replace(delivery, due_ms=due_ms))

    def _delivery(
        self, tx: Transaction, event: Event, part: int, target: Target, told: dict[str, str]
    ) -> WebhookDelivery:
        return WebhookDelivery(
            account_sid=event.account_sid,
            event_sequence=event.sequence,
            target_key=target.key,
            service_sid=event.service_sid,
            conversation_sid=event.conversation_sid,
            event_name=told["EventType"],
            scope=target.scope,
            webhook_sid=target.webhook_sid,
            url=target.url,
            method=target.method,
            retry_limit=target.retry_count,
            token=new_token(self._random),
            parameters=_encode(told).decode(),
            lane=lane_of(target.url, event.conversation_sid, event.subject_sid),
            lane_order=rows.live_order(event.sequence, part),
            state=rows.PENDING,
            retry_count=0,
            due_ms=tx.now,
            date_queued=tx.now,
            date_updated=tx.now,
        )

    async def _stop_removed(self, tx: Transaction, event: Event, made: Enqueued) -> None:
        """A webhook that was detached hears nothing more, not even what was waiting for it."""
        change = _change(event.payload)
        webhook = change.scoped_webhook
        if change.is_removed and webhook.url is not None:
            lane = lane_of(webhook.url, webhook.conversation_sid, "")
            made.ended += await queue.stop_removed(tx, event.account_sid, lane, webhook.sid)
