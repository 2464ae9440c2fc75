"""Reads the event log for whoever is connected here, and tells them.

Unlike the other readers of the log this one keeps no position: each process tells its own
connections, and one that comes back is told what it missed from the log itself. So it begins at
the end of the log, with the first connection, and sleeps again when nobody has been there for a
while: a server without connected users does no work for them. A wake-up after a commit is a hint;
without one it looks every ``DISPATCH_POLL_MS``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from parlour.protocol.sync_events import ITEM_REMOVED, Change
from parlour.realtime.changes import participant_payload, read_changes, removed_member
from parlour.realtime.hub import CONVERSATION_KINDS, UserKey
from parlour.realtime.last_changed import changed_keys, user_conversations_key
from parlour.store import event_log
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.realtime.hub import Hub
    from parlour.realtime.last_changed import LastChanged
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock
    from parlour.vocabulary.event import Event

log = structlog.get_logger()

_RIGHTS: frozenset[str] = frozenset(
    {event_names.ACCOUNT_CHANGED, event_names.SERVICE_CHANGED, event_names.USER_REMOVED}
)


class EventFeed:
    """Tells the connections of this process what is committed, in order."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        last_changed: LastChanged,
        clock: Clock,
        *,
        on_rights_changed: Callable[[Event], None],
    ) -> None:
        """``on_rights_changed`` is told of events after which a connection may have to end."""
        self._store = store
        self._hub = hub
        self._last_changed = last_changed
        self._clock = clock
        self._on_rights_changed = on_rights_changed
        self._hint = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] = asyncio.Future()
        self._back_scan: asyncio.Task[None] | None = None
        self._stopping = False
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def is_running(self) -> bool:
        """Whether the log is being read."""
        return self._task is not None

    def wake(self) -> None:
        """There may be news."""
        self._hint.set()

    async def wait_published(self, sequence: int) -> None:
        """Wait until the events up to a number are published here, REPLY_FEED_MS_MAX at most."""
        if self._last_changed.position >= sequence or self._stopping:
            return
        self.wake()
        waiter = (sequence, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(limits.REPLY_FEED_MS_MAX / 1000):
                await waiter[1]
        except TimeoutError:
            log.info("reply_order_timed_out")
        finally:
            self._waiters.remove(waiter)

    def _resolve_waiters(self) -> None:
        position = self._last_changed.position
        for sequence, waiter in self._waiters:
            if sequence <= position and not waiter.done():
                waiter.set_result(None)

    async def ensure_running(self) -> None:
        """Be there for a new connection: from now on everything is told."""
        if self._stopping:
            return
        if self._task is None:
            self._started = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run(self._started))
        await asyncio.shield(self._started)

    async def stop(self) -> None:
        """End."""
        self._stopping = True
        self._hint.set()
        for task in (self._task, self._back_scan):
            if task is not None:
                await asyncio.gather(task, return_exceptions=True)

    async def _run(self, started: asyncio.Future[None]) -> None:
        self._last_changed.reset(await self._store.read(event_log.visible_through))
        started.set_result(None)
        self._back_scan = asyncio.create_task(self._last_changed.scan_back(self._store))
        idle_since: float | None = None
        while not self._stopping:
            self._hint.clear()
            try:
                if await self.publish_batch():
                    continue
            except Exception:
                log.exception("event_feed_failed")
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
                continue
            now = self._clock.monotonic_ms()
            idle_since = None if len(self._hub) else (idle_since or now)
            if idle_since is not None and now - idle_since > limits.FEED_IDLE_MS:
                break
            await self._wait_for_hint()
        self._task = None

    async def _wait_for_hint(self) -> None:
        try:
            async with asyncio.timeout(limits.DISPATCH_POLL_MS / 1000):
                await self._hint.wait()
        except TimeoutError:
            return

    async def publish_batch(self) -> bool:
        """Tell the next events; whether there may be more of them already: the batch was full."""
        position = self._last_changed.position
        batch = await self._store.read(
            lambda tx: event_log.read_after(tx, position, limits.EVENTS_PER_BATCH_MAX),
            single_statement=True,
        )
        for event in batch:
            await self.publish_event(event)
            self._last_changed.position = event.sequence
            if self._waiters:
                self._resolve_waiters()
        return len(batch) >= limits.EVENTS_PER_BATCH_MAX

    async def publish_event(self, event: Event) -> None:
        """Tell everybody here who has to know of one event."""
        for key in changed_keys(event):
            self._last_changed.record(key, event.sequence)
        if event.name in _RIGHTS:
            self._on_rights_changed(event)
            return
        about = participant_payload(event)
        if about is not None and about.participant.identity is not None:
            key = user_conversations_key(event.service_sid, about.participant.identity)
            self._last_changed.record(key, event.sequence)
        if event.name == event_names.ON_CONVERSATION_REMOVED:
            self._publish_removal(event)
        removed = None if about is None else removed_member(event, about)
        if self._has_subscribers(event, None if about is None else about.participant.identity):
            changes = await self._store.read(
                lambda tx: read_changes(tx, event), account_sid=event.account_sid
            )
            self._hub.publish(changes, event.sequence, event.date_ms)
        if removed is not None:
            self._revoke_membership(event, removed.identity)

    def _has_subscribers(self, event: Event, identity: str | None) -> bool:
        if event.conversation_sid and self._hub.has_conversation_subscribers(
            event.conversation_sid
        ):
            return True
        if identity is not None:
            return bool(self._hub.connections_of(_key(event, identity)))
        return self._hub.has_subscribers(ObjectName(ObjectKind.USER_INFO, event.subject_sid))

    def _publish_removal(self, event: Event) -> None:
        """Members lose the conversation before its objects go: then clients say that they left."""
        document = ObjectName(ObjectKind.CONVERSATION, event.conversation_sid)
        user_sids = {subscriber.user_sid for subscriber in self._hub.subscribers_of(document)}
        for user_sid in sorted(user_sids):
            name = ObjectName(ObjectKind.MY_CONVERSATIONS, user_sid)
            change = Change(name, ITEM_REMOVED, event.conversation_sid, {})
            self._hub.publish([change], event.sequence, event.date_ms)

    def _revoke_membership(self, event: Event, identity: str) -> None:
        """Who has left hears nothing more, whatever the client does."""
        key = _key(event, identity)
        names = [ObjectName(kind, event.conversation_sid) for kind in CONVERSATION_KINDS]
        self._hub.revoke(key, names)


def _key(event: Event, identity: str) -> UserKey:
    return UserKey(event.account_sid, event.service_sid, identity)
