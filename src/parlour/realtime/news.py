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
from parlour.realtime.changes import changes_of, departed, participant_of
from parlour.realtime.hub import CONVERSATION_KINDS, UserKey
from parlour.realtime.recency import keys_of, user_key
from parlour.store import event_log
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.realtime.hub import Hub
    from parlour.realtime.recency import Recency
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock
    from parlour.vocabulary.event import Event

log = structlog.get_logger()

_RIGHTS: frozenset[str] = frozenset(
    {event_names.ACCOUNT_CHANGED, event_names.SERVICE_CHANGED, event_names.USER_REMOVED}
)


class News:
    """Tells the connections of this process what is committed, in order."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        recency: Recency,
        clock: Clock,
        *,
        rights_changed: Callable[[Event], None],
    ) -> None:
        """``rights_changed`` is told of events after which a connection may have to end."""
        self._store = store
        self._hub = hub
        self._recency = recency
        self._clock = clock
        self._rights_changed = rights_changed
        self._hint = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._began: asyncio.Future[None] = asyncio.Future()
        self._looking_back: asyncio.Task[None] | None = None
        self._stopping = False
        self._awaited: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def is_awake(self) -> bool:
        """Whether the log is being read."""
        return self._task is not None

    def wake(self) -> None:
        """There may be news."""
        self._hint.set()

    async def reached(self, sequence: int) -> None:
        """Wait until the events up to a number are published here, REPLY_FEED_MS_MAX at most."""
        if self._recency.position >= sequence or self._stopping:
            return
        self.wake()
        waiter = (sequence, asyncio.get_running_loop().create_future())
        self._awaited.append(waiter)
        try:
            async with asyncio.timeout(limits.REPLY_FEED_MS_MAX / 1000):
                await waiter[1]
        except TimeoutError:
            log.info("reply_ahead_of_events")
        finally:
            self._awaited.remove(waiter)

    def _resolve_awaited(self) -> None:
        position = self._recency.position
        for sequence, waiter in self._awaited:
            if sequence <= position and not waiter.done():
                waiter.set_result(None)

    async def awaken(self) -> None:
        """Be there for a new connection: from now on everything is told."""
        if self._stopping:
            return
        if self._task is None:
            self._began = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run(self._began))
        await asyncio.shield(self._began)

    async def stop(self) -> None:
        """End."""
        self._stopping = True
        self._hint.set()
        for task in (self._task, self._looking_back):
            if task is not None:
                await asyncio.gather(task, return_exceptions=True)

    async def _run(self, began: asyncio.Future[None]) -> None:
        self._recency.begin(await self._store.read(event_log.visible_through))
        began.set_result(None)
        self._looking_back = asyncio.create_task(self._recency.look_back(self._store))
        lonely_since: float | None = None
        while not self._stopping:
            self._hint.clear()
            try:
                if await self.step():
                    continue
            except Exception:
                log.exception("news_failed")
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
                continue
            now = self._clock.monotonic_ms()
            lonely_since = None if len(self._hub) else (lonely_since or now)
            if lonely_since is not None and now - lonely_since > limits.NEWS_LONELY_MS:
                break
            await self._hinted()
        self._task = None

    async def _hinted(self) -> None:
        try:
            async with asyncio.timeout(limits.DISPATCH_POLL_MS / 1000):
                await self._hint.wait()
        except TimeoutError:
            return

    async def step(self) -> bool:
        """Tell the next events; whether there may be more of them already: the batch was full."""
        position = self._recency.position
        batch = await self._store.read(
            lambda tx: event_log.read_after(tx, position, limits.EVENTS_PER_BATCH_MAX),
            single_statement=True,
        )
        for event in batch:
            await self.tell(event)
            self._recency.position = event.sequence
            if self._awaited:
                self._resolve_awaited()
        return len(batch) >= limits.EVENTS_PER_BATCH_MAX

    async def tell(self, event: Event) -> None:
        """Tell everybody here who has to know of one event."""
        for key in keys_of(event):
            self._recency.note(key, event.sequence)
        if event.name in _RIGHTS:
            self._rights_changed(event)
            return
        about = participant_of(event)
        if about is not None and about.participant.identity is not None:
            key = user_key(event.service_sid, about.participant.identity)
            self._recency.note(key, event.sequence)
        if event.name == event_names.ON_CONVERSATION_REMOVED:
            self._tell_of_removal(event)
        gone = None if about is None else departed(event, about)
        if self._concerns_somebody(event, None if about is None else about.participant.identity):
            changes = await self._store.read(
                lambda tx: changes_of(tx, event), account_sid=event.account_sid
            )
            self._hub.publish(changes, event.sequence, event.date_ms)
        if gone is not None:
            self._take_away(event, gone.identity)

    def _concerns_somebody(self, event: Event, identity: str | None) -> bool:
        if event.conversation_sid and self._hub.is_of_interest(event.conversation_sid):
            return True
        if identity is not None:
            return bool(self._hub.connections_of(_key(event, identity)))
        return self._hub.is_heard(ObjectName(ObjectKind.USER_INFO, event.subject_sid))

    def _tell_of_removal(self, event: Event) -> None:
        """Members lose the conversation before its objects go: then clients say that they left."""
        document = ObjectName(ObjectKind.CONVERSATION, event.conversation_sid)
        told = {listener.user_sid for listener in self._hub.listeners_of(document)}
        for user_sid in sorted(told):
            name = ObjectName(ObjectKind.MY_CONVERSATIONS, user_sid)
            change = Change(name, ITEM_REMOVED, event.conversation_sid, {})
            self._hub.publish([change], event.sequence, event.date_ms)

    def _take_away(self, event: Event, identity: str) -> None:
        """Who has left hears nothing more, whatever the client does."""
        key = _key(event, identity)
        names = [ObjectName(kind, event.conversation_sid) for kind in CONVERSATION_KINDS]
        self._hub.revoke(key, names)


def _key(event: Event, identity: str) -> UserKey:
    return UserKey(event.account_sid, event.service_sid, identity)
