"""The event feed: reads the log for the connections of this process and publishes to them.

Unlike other consumers of the log it stores no position: each process serves its own connections,
and a client that reconnects gets the missed events from the log. So the feed starts at the end of
the log.
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


# ========  ==========================================  ============================================
# state     event                                       next
# ========  ==========================================  ============================================
# stopped   the first session is opened                 starting: the end of the log is read
# starting  the read succeeds                           running, from the end of the log
# starting  the read fails                              stopped: the sessions that wait for it fail,
#                                                       and the next session starts it again
# running   a commit hint, or DISPATCH_POLL_MS elapsed  running: the next batches are published
# running   no connection, and no session opened,       stopped: no work without connected users
#           for FEED_IDLE_MS
# running   ``stop``                                    stopped
# ========  ==========================================  ============================================
#
# A hint after a commit is an optimization: without it the feed polls.
class EventFeed:
    """Publish committed events to the connections of this process, in order."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        last_changed: LastChanged,
        clock: Clock,
        *,
        on_rights_changed: Callable[[Event], None],
    ) -> None:
        """``on_rights_changed`` is called with events that may require closing connections."""
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
        self._idle_since: float | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def is_running(self) -> bool:
        """Whether the log is being read."""
        return self._task is not None

    @property
    def position(self) -> int:
        """The last event that was published, if the log is being read."""
        return self._last_changed.position

    def wake(self) -> None:
        """Hint that events may have been committed."""
        self._hint.set()

    async def wait_published(self, sequence: int) -> None:
        """Wait until events up to this number are published, at most REPLY_FEED_MS_MAX."""
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
        """Start the feed if it is stopped, and wait until it has its position.

        Raises the error of the store if the position cannot be read.
        """
        if self._stopping:
            return
        # A session is in no hub until its user is read; the feed must not stop before.
        self._idle_since = None
        if self._task is None:
            self._started = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run(self._started))
        # Shielded: a client that disconnects must not cancel the start that others wait for.
        await asyncio.shield(self._started)

    async def stop(self) -> None:
        """Stop and wait for the tasks."""
        self._stopping = True
        self._hint.set()
        for task in (self._task, self._back_scan):
            if task is not None:
                await asyncio.gather(task, return_exceptions=True)

    async def _run(self, started: asyncio.Future[None]) -> None:
        try:
            position = await self._store.read(event_log.visible_through)
        except Exception as error:
            log.exception("event_feed_failed")
            # Not retried here: clients reconnect with a backoff, and their tasks would pile up.
            self._task = None
            started.set_exception(error)
            started.exception()  # Retrieved, as the waiters may have been cancelled.
            return
        self._last_changed.reset(position)
        started.set_result(None)
        self._back_scan = asyncio.create_task(self._last_changed.scan_back(self._store))
        while not self._stopping:
            # Cleared before the read: a hint during the read causes another one.
            self._hint.clear()
            try:
                if await self.publish_batch():
                    continue
            except Exception:
                log.exception("event_feed_failed")
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
                continue
            now = self._clock.monotonic_ms()
            self._idle_since = None if len(self._hub) else (self._idle_since or now)
            if self._idle_since is not None and now - self._idle_since > limits.FEED_IDLE_MS:
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
        """Publish the next events; return whether there may be more: the batch was full."""
        position = self._last_changed.position
        batch = await self._store.read(
            lambda tx: event_log.read_after(tx, position, limits.EVENTS_PER_BATCH_MAX),
            single_statement=True,
        )
        for event in batch:
            await self.publish_event(event)
            # After each event: after a failure the log is read again from the failed event on.
            self._last_changed.position = event.sequence
            if self._waiters:
                self._resolve_waiters()
        return len(batch) >= limits.EVENTS_PER_BATCH_MAX

    async def publish_event(self, event: Event) -> None:
        """Publish one event to its subscribers in this process."""
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
        # After the publication, so that the removed member is notified of its removal.
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
        """Remove the conversation from its members' maps, before its objects are removed."""
        document = ObjectName(ObjectKind.CONVERSATION, event.conversation_sid)
        user_sids = {subscriber.user_sid for subscriber in self._hub.subscribers_of(document)}
        for user_sid in sorted(user_sids):
            name = ObjectName(ObjectKind.MY_CONVERSATIONS, user_sid)
            change = Change(name, ITEM_REMOVED, event.conversation_sid, {})
            self._hub.publish([change], event.sequence, event.date_ms)

    def _revoke_membership(self, event: Event, identity: str) -> None:
        """End the subscriptions of a removed member, independent of the client."""
        key = _key(event, identity)
        names = [ObjectName(kind, event.conversation_sid) for kind in CONVERSATION_KINDS]
        self._hub.revoke(key, names)


def _key(event: Event, identity: str) -> UserKey:
    return UserKey(event.account_sid, event.service_sid, identity)
