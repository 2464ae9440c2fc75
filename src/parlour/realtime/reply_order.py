"""When a reply leaves: after the notifications of what it says, once the client has handled them.

The client SDKs take an item that a page shows for known, and fire no event when its notification
comes later. They answer a read from their cache once that has the end of a list, so a message that
was sent is missing until its notification is handled. And a page that is older than what was
notified before it moves the end of the list back. All of it goes well in one order only, that of
the event log, and whatever the version:

- The reply to a command leaves when the notifications of its own events have been handled.
- A page of items of an object that the client listens to was read at some event. It leaves when
  the notifications of that object up to this event have been handled; those of later events leave
  after it, and are held back meanwhile.

Both hold for the connection that asks alone. A reply waits for no more than REPLY_FEED_MS_MAX for
the feed, and as long as ``acknowledgements.py`` says for the client. A connection waits for
its client with HELD_REPLIES_MAX replies of HELD_REPLIES_BYTES_MAX together at most, and with none
while nothing is read from it; further ones wait for the feed alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from parlour.realtime.object_reader import objects_of_items_request
from parlour.store import event_log

if TYPE_CHECKING:
    from parlour.realtime.connection import ClientConnection
    from parlour.realtime.hub import Hub, PausedSubscription
    from parlour.realtime.session import TunnelReply, TunnelRequest
    from parlour.store.transaction import Store

WaitPublished = Callable[[int], Awaitable[None]]
"""Waits until the events up to a number are published by this process, or for too long."""


class ReplyBarrier(Protocol):
    """What holds one reply back."""

    async def wait(self, reply: TunnelReply) -> None:
        """Wait until the reply may leave."""
        ...

    def release(self) -> None:
        """Send what was held back behind the reply."""
        ...


class ReplyOrder:
    """Decides which replies are held back, and until when."""

    def __init__(self, store: Store, hub: Hub, wait_published: WaitPublished) -> None:
        self._store = store
        self._hub = hub
        self._wait_published = wait_published

    def barrier(self, connection: ClientConnection, request: TunnelRequest) -> ReplyBarrier | None:
        """Return what holds the reply to a request back; None where it may leave at once.

        It is asked for before anything is read or changed.
        """
        if not connection.subscribed:
            return None
        if request.method != "GET":
            return _CommandBarrier(self._store, connection, self._wait_published)
        name = next(
            (
                each
                for each in objects_of_items_request(request)
                if each.sid in connection.subscribed
            ),
            None,
        )
        pause = None if name is None else self._hub.pause(connection, name)
        return (
            None
            if pause is None
            else _PageBarrier(self._hub, connection, pause, self._wait_published)
        )


class _CommandBarrier:
    """Holds the reply to a command back."""

    def __init__(
        self, store: Store, connection: ClientConnection, wait_published: WaitPublished
    ) -> None:
        self._store = store
        self._connection = connection
        self._wait_published = wait_published
        self._sent_before = connection.acknowledgements.sent

    async def wait(self, reply: TunnelReply) -> None:
        """Wait until the client has handled the events of the command, if it is sent any."""
        if reply.status >= HTTPStatus.BAD_REQUEST:
            return  # Nothing was changed.
        with self._connection.holding_reply(len(reply.body)) as may_wait_for_client:
            newest = await self._store.read(event_log.newest_sequence, single_statement=True)
            await self._wait_published(newest)
            sent = self._connection.acknowledgements.sent
            if may_wait_for_client and sent > self._sent_before:
                await self._connection.acknowledgements.wait_handled(sent)

    def release(self) -> None:
        """Nothing is held back behind it."""


class _PageBarrier:
    """Holds a page of items back, and later notifications of the same object behind it."""

    def __init__(
        self,
        hub: Hub,
        connection: ClientConnection,
        pause: PausedSubscription,
        wait_published: WaitPublished,
    ) -> None:
        self._hub = hub
        self._connection = connection
        self._pause = pause
        self._wait_published = wait_published

    async def wait(self, reply: TunnelReply) -> None:
        """Wait until the client has handled what the page shows."""
        if not reply.newest_sequence:
            return  # It is no page.
        with self._connection.holding_reply(len(reply.body)) as may_wait_for_client:
            await self._wait_published(reply.newest_sequence)
            self._hub.push_through(self._pause, reply.newest_sequence)
            if may_wait_for_client and self._pause.last > self._connection.handled_through:
                last = self._pause.last
                await self._connection.acknowledgements.wait_handled(
                    self._connection.acknowledgements.sent
                )
                self._connection.handled_through = max(last, self._connection.handled_through)

    def release(self) -> None:
        """Send what came of the object since."""
        self._hub.resume(self._pause)
