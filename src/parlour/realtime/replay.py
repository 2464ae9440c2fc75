"""Replay of the events that a subscription request missed, found and sent in steps.

``MissedEvents`` finds their numbers, and ``Replay`` reads and sends them.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from parlour.protocol import sync_events
from parlour.protocol.sync_events import CHANGED, Change
from parlour.realtime import items, object_reader
from parlour.realtime.changes import read_conversation_changes
from parlour.resources.conversations import store as conversation_store
from parlour.store import event_log
from parlour.store.transaction import ALL_ACCOUNTS
from parlour.vocabulary import limits
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.realtime.connection import ClientConnection
    from parlour.realtime.hub import Hub
    from parlour.realtime.last_changed import LastChanged
    from parlour.realtime.read_scheduler import ReadScheduler
    from parlour.realtime.session import Session
    from parlour.store.transaction import Store, Transaction, Work

T = TypeVar("T")

_encode = sync_events.encode


class ReplayedEvent(NamedTuple):
    """One event for a client: the object, the event type, and its JSON."""

    name: ObjectName
    event_type: str
    event: msgspec.Raw


class _ReplayStep(NamedTuple):
    """Result of a step: events, number of events read, date of the last one (0: none)."""

    events: list[ReplayedEvent]
    read: int
    date_ms: int


# The log is scanned once for a whole request, from the lowest number in it. A request has up to
# thousands of conversations, of which nearly none has changed (``last_changed.py``).
class MissedEvents:
    """Numbers of the events that one subscription request missed, by conversation."""

    def __init__(
        self, replay: Replay, last_changed: LastChanged, requested: Iterable[tuple[str, int]]
    ) -> None:
        """``requested`` has conversations with the last known event of each.

        The log is read through ``replay``: scheduled, and only while the client is connected.
        """
        self._replay = replay
        self._last_changed = last_changed
        self._base = self._position = last_changed.position
        self._since: dict[str, int] = {}
        for sid, after in requested:
            # An unchanged conversation counts as known up to now, and needs no scan.
            known = after if last_changed.changed_since(sid, after) else max(self._base, after)
            self._since[sid] = min(self._since.get(sid, known), known)
        self._numbers: dict[str, list[int]] = {sid: [] for sid in self._since}
        self.to_resync: set[str] = set()
        """Conversations to resync: the log does not reach back far enough."""

    async def find_start(self) -> None:
        """Find the event after which the scan starts. Raises ConnectionClosed."""
        behind = {sid: since for sid, since in self._since.items() if since < self._base}
        if not behind:
            return
        # Retention has deleted older events, and the length of a scan is limited.
        oldest = await self._replay.read_log(event_log.oldest_sequence)
        earliest = max(
            oldest - 1,
            self._base - limits.REPLAY_SCANNED_EVENTS_MAX,
            self._last_changed.replayable_from,
        )
        self.to_resync = {sid for sid, since in behind.items() if since < earliest}
        in_reach = [since for sid, since in behind.items() if sid not in self.to_resync]
        self._position = min(in_reach, default=self._base)

    async def scan(self, conversation_sids: set[str], base: int) -> None:
        """Scan the log up to an event, if one of the conversations changed.

        Raises ConnectionClosed.
        """
        has_changed = any(
            self._last_changed.changed_since(sid, self._position) for sid in conversation_sids
        )
        if self._position >= self._base and not has_changed:
            return
        # Each step of a request resumes where the previous one ended.
        position = self._position
        while position < base:  # Each step advances, or is the last.
            scanned = await self._replay.read_log(
                partial(
                    event_log.conversations_after,
                    sequence=position,
                    count=limits.REPLAY_SCANNED_EVENTS_PER_STEP,
                )
            )
            for number, sid in scanned:
                if number <= base and number > self._since.get(sid, base):
                    self._numbers[sid].append(number)
            position = scanned[-1][0] if scanned else base
        self._position = max(base, self._position)

    def numbers(self, conversation_sid: str, after: int, base: int) -> list[int]:
        """Return the numbers of a conversation's events in the range ``after < number <= base``."""
        if conversation_sid in self.to_resync:
            return []
        found = self._numbers.get(conversation_sid, [])
        return [number for number in found if after < number <= base]


# Each missed event is read once, for all objects that it changes. A step reads a bounded number of
# events and bytes in a slot of the read scheduler, and each notification waits for room in the
# outbox. The steps stop once the client has disconnected.
class Replay:
    """Send missed events to one connection."""

    def __init__(
        self,
        connection: ClientConnection,
        correlation_id: int | None,
        *,
        store: Store,
        hub: Hub,
        read_scheduler: ReadScheduler,
    ) -> None:
        """``correlation_id`` is the id of the request."""
        self._connection = connection
        self._session = connection.session
        self._correlation_id = correlation_id
        self._store = store
        self._hub = hub
        self._read_scheduler = read_scheduler

    async def read(self, work: Work[T]) -> T:
        """Read rows of the account in a slot. Raises ConnectionClosed."""
        return await self._read(work, self._session.scope.account_sid)

    async def read_log(self, work: Work[T]) -> T:
        """Read the log of all accounts in a slot. Raises ConnectionClosed."""
        return await self._read(work, ALL_ACCOUNTS)

    async def _read(self, work: Work[T], account_sid: str) -> T:
        self._connection.raise_if_closed()
        async with self._read_scheduler.slot(
            self._session.scope.account_sid, self._session.identity
        ):
            self._connection.raise_if_closed()  # It may have closed while it was queued.
            found = await self._store.read(work, account_sid=account_sid)
        self._connection.raise_if_closed()
        return found

    async def send_conversation(
        self, after: dict[ObjectName, int], numbers: list[int], base: int
    ) -> None:
        """Send the events of one conversation's objects, each after its own number.

        Of the document only the current state is sent, with the number ``base``.
        """
        document = ObjectName(ObjectKind.CONVERSATION, next(iter(after)).owner_sid)
        changes_document = document in after and numbers[-1] > after[document]
        if len(after) == 1 and document in after:
            # Only the date of the last event is needed: the document is sent as it is now.
            numbers = numbers[-event_log.SEQUENCES_PER_QUERY :]
        date_ms = 0
        while numbers:
            step = await self.read(partial(_read_events, self._session, numbers, after))
            await self.send(step.events)
            date_ms = step.date_ms or date_ms
            numbers = numbers[step.read :]
        if changes_document and date_ms:
            events = await self.read(
                partial(_read_document, self._session, document, base, date_ms)
            )
            await self.send(events)

    async def send_items(self, name: ObjectName, verb: str, number: int, date_ms: int) -> None:
        """Send all items of a map of the user as they are now, with one number."""
        key: items.Key | None = items.first_key(name.kind, descending=False)
        while key is not None:
            found = await self.read(partial(_read_items, self._session, name, key))
            shown = found[: limits.REPLAYED_EVENTS_PER_STEP]
            await self.send(
                [
                    _replayed_event(Change(name, verb, each.key, each.value), number, date_ms)
                    for each in shown
                ]
            )
            key = found[-1].key if len(found) > len(shown) else None

    async def send(self, events: list[ReplayedEvent]) -> None:
        """Send events, in order for each object, in as few frames as possible."""
        by_name: dict[ObjectName, list[ReplayedEvent]] = {}
        for each in events:
            by_name.setdefault(each.name, []).append(each)
        for of_object in by_name.values():
            for event_type, run in groupby(of_object, key=lambda each: each.event_type):
                encoded = [each.event for each in run]
                for start in range(0, len(encoded), limits.REPLAYED_PER_NOTIFICATION_MAX):
                    batch = encoded[start : start + limits.REPLAYED_PER_NOTIFICATION_MAX]
                    await self.notify(event_type, batch)

    async def notify(self, event_type: str, events: list[Any]) -> None:
        """Send one notification once the outbox has room. Raises ConnectionClosed."""
        await self._connection.drain()
        payload = sync_events.replayed_payload(event_type, self._correlation_id, events)
        self._connection.push(self._hub.encode_notification(sync_events.SYNC_EVENT, payload))


def _replayed_event(change: Change, number: int, date_ms: int) -> ReplayedEvent:
    event = msgspec.Raw(_encode(sync_events.event_json(change, number, date_ms)))
    return ReplayedEvent(change.name, change.event_type, event)


async def _read_events(
    session: Session, numbers: list[int], after: dict[ObjectName, int], tx: Transaction
) -> _ReplayStep:
    """Read the next events, up to the limits of a step."""
    kinds = {name.kind for name in after}
    events: list[ReplayedEvent] = []
    size_bytes = date_ms = 0
    step = numbers[: limits.REPLAYED_EVENTS_PER_STEP]  # At most event_log.SEQUENCES_PER_QUERY.
    for event in await event_log.find_by_sequences(tx, session.scope, step):
        date_ms = event.date_ms
        for change in await read_conversation_changes(tx, event, kinds):
            if change.name in after and event.sequence > after[change.name]:
                events.append(_replayed_event(change, event.sequence, date_ms))
                size_bytes += len(memoryview(events[-1].event))
        if size_bytes > limits.REPLAYED_BYTES_PER_STEP:
            return _ReplayStep(events, step.index(event.sequence) + 1, date_ms)
    return _ReplayStep(events, len(step), date_ms)


async def _read_document(
    session: Session, name: ObjectName, number: int, date_ms: int, tx: Transaction
) -> list[ReplayedEvent]:
    if await conversation_store.find_conversation(tx, session.scope, name.owner_sid) is None:
        return []
    value = await object_reader.document(tx, session, name.owner_sid)
    return [_replayed_event(Change(name, CHANGED, None, value), number, date_ms)]


async def _read_items(
    session: Session, name: ObjectName, key: items.Key, tx: Transaction
) -> list[items.Item]:
    # The extra item is the first one of the next step.
    count = limits.REPLAYED_EVENTS_PER_STEP + 1
    return await items.read_items(tx, session, name, key, count, descending=False)
