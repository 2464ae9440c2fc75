"""Order of replies and notifications: a reply follows the notifications of its changes.

The client SDKs treat an item on a page as known, and fire no event when its notification arrives
later. They serve reads from their cache once it has the end of a list, so a message that was sent
is missing until its notification is handled. And a page that is older than a notification before
it moves the end of the list back. All versions behave correctly in one order only, the order of
the event log:

- The reply to a command is sent when the client has handled the notifications of its events.
- A page of items of a subscribed object was read at some event. It is sent when the client has
  handled the notifications of that object up to this event; later ones are held back behind it.

Both rules hold for the requesting connection only.
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
"""Waits until this process has published the events up to a number, or for the timeout."""


# =========  =========================  ============================================================
# barrier    event                      next
# =========  =========================  ============================================================
# created    before the read or change  the subscription of a page is paused
# waiting    ``wait``                   the feed has published the events (REPLY_FEED_MS_MAX), then
#                                       the client has handled them (``acknowledgements.py``)
# sent       reply in the outbox        ``release``: the subscription is resumed
# =========  =========================  ============================================================
#
# A connection waits for its client with at most HELD_REPLIES_MAX replies of HELD_REPLIES_BYTES_MAX
# together, and with none while its input is paused; further replies wait for the feed only.
class ReplyBarrier(Protocol):
    """Hold one reply back."""

    async def wait(self, reply: TunnelReply) -> None:
        """Wait until the reply may be sent."""
        ...

    def release(self) -> None:
        """Send the notifications that were held back behind the reply."""
        ...


class ReplyOrder:
    """Decide which replies are held back, and until when."""

    def __init__(self, store: Store, hub: Hub, wait_published: WaitPublished) -> None:
        self._store = store
        self._hub = hub
        self._wait_published = wait_published

    def barrier(self, connection: ClientConnection, request: TunnelRequest) -> ReplyBarrier | None:
        """Return the barrier of the reply to a request; None if it may be sent at once.

        It is created before anything is read or changed.
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
    """Hold back the reply to a command."""

    def __init__(
        self, store: Store, connection: ClientConnection, wait_published: WaitPublished
    ) -> None:
        self._store = store
        self._connection = connection
        self._wait_published = wait_published
        self._sent_before = connection.acknowledgements.sent

    async def wait(self, reply: TunnelReply) -> None:
        """Wait until the client has handled the command's events, if it gets any."""
        if reply.status >= HTTPStatus.BAD_REQUEST:
            return  # No change was made.
        with self._connection.holding_reply(len(reply.body)) as may_wait_for_client:
            # The command's events have numbers up to the newest one in the log.
            newest = await self._store.read(event_log.newest_sequence, single_statement=True)
            await self._wait_published(newest)
            sent = self._connection.acknowledgements.sent
            if may_wait_for_client and sent > self._sent_before:
                await self._connection.acknowledgements.wait_handled(sent)

    def release(self) -> None:
        """Do nothing: no notifications are held back."""


# The subscription is paused from before the read until after the reply: events that the page
# contains are sent before it, and later ones behind it.
class _PageBarrier:
    """Hold back a page of items, and later notifications of its object."""

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
        """Wait until the client has handled the events that the page contains."""
        if not reply.newest_sequence:
            return  # Not a page of items.
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
        """Send the notifications of later events."""
        self._hub.resume(self._pause)
