"""Streams of events: the event feed as server-sent events that do not end.

A stream reads the log at the pace of its client: it reads EVENTS_PER_STREAM_READ events, sends
them, and reads again only when the kernel has them. So it buffers no more than that, and a stalled
client costs others nothing; the write timeout of the connection ends it. At the end of the log it
waits as lists do (operations/waiting_lists.py), with the same bound on reads of all.

States of a stream:

========  ============================================  ===========================================
state     event                                         next
========  ============================================  ===========================================
reading   events, or more of the log to read            reading, once the client has them
reading   the end of the log                            waiting
waiting   an event of the account, maybe one in which   reading
          its logins change
waiting   LOGIN_CACHE_MS_MAX after an event: the login  reading
          is no longer cached
waiting   EVENT_STREAM_COMMENT_SECONDS passed           reading, after a comment with the cursor
waiting   CONSOLE_STREAM_CHECK_SECONDS passed, with a   reading
          session of the console
any       the login is revoked or the account not       ended
          active, the session of the console has
          ended, EVENT_STREAM_SECONDS_MAX passed, the
          server stops, the store is unreachable, or
          retention has overtaken the position
any       the client disconnects                        ended
========  ============================================  ===========================================

Streams of the console's sessions are read at most CONSOLE_STREAM_READS_PER_SECOND times a second,
all at the same moments, and those that are at the same position share a read and its text: several
open pages cost the other requests little more than one. Each reads one part at a moment: a page
that more events happen for than it can read falls behind, and then continues at the present.

The login is verified before each read, by the cache of logins. A client resumes an ended stream by
``Last-Event-ID``. The comment carries the cursor as well: without it, a client whose filters match
nothing for days would resume from events that are deleted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from parlour.http.messages import BodyStream, ClientDisconnectedError, Response, encode
from parlour.http.shared_reads import SharedReads
from parlour.operations.admission import Admission
from parlour.operations.waiting_lists import ListWaitAbandoned
from parlour.resources.events import feed as event_feed
from parlour.resources.events import representation as event_representation
from parlour.resources.events.parameters import ListEvents
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.errors import ApiError, clear_tracebacks
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from parlour.http.authentication import Authentication
    from parlour.http.client_addresses import ClientAddresses
    from parlour.http.list_waiting import ListWaiting
    from parlour.http.messages import Request
    from parlour.operations.audit import AuditTrail
    from parlour.operations.call import Call
    from parlour.operations.waiting_lists import ListWait
    from parlour.resources.events.feed import Feed
    from parlour.resources.events.store import EventFilters
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock

_TYPE: Final = "text/event-stream"
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would buffer the response otherwise.
    (b"x-accel-buffering", b"no"),
)
_TOPICS: Final = frozenset({*event_names.POST_ACTION, event_names.ACCOUNT_CHANGED})
_LAST_EVENT_ID: Final = "Last-Event-ID"


def accepts_events(request: Request) -> bool:
    """Return whether a GET prefers a stream: its Accept header names ``text/event-stream``."""
    accept = request.header(b"accept")
    return accept is not None and request.method == "GET" and _TYPE in accept.lower()


class _Position:
    """The position of a stream in its feed."""

    def __init__(self, feed: Feed, filters: EventFilters, number: int) -> None:
        self.feed = feed
        self.filters = filters
        self.number = number


class _Part(NamedTuple):
    """Events as they are sent, and the number from which the next read continues."""

    text: bytes
    position: int
    has_more: bool


class EventStreams:
    """Opens streams of events."""

    def __init__(
        self,
        store: Store,
        feeds: Callable[[Scope], Feed],
        waiting: ListWaiting,
        authentication: Authentication,
        client_addresses: ClientAddresses,
        clock: Clock,
        *,
        audit: AuditTrail,
    ) -> None:
        self._audit = audit
        self._store = store
        self._feeds = feeds
        self._waiting = waiting
        self._lists = waiting.lists
        self._authentication = authentication
        self._client_addresses = client_addresses
        self._shared: SharedReads[_Part] = SharedReads()
        self._streams = Admission(
            clock,
            in_all_max=limits.EVENT_STREAMS_MAX,
            of_account_max=limits.EVENT_STREAMS_PER_ACCOUNT_MAX,
        )

    @property
    def count(self) -> int:
        """The number of open streams."""
        return self._streams.running

    async def respond(self, request: Request, call: Call[Any]) -> Response:
        """Return the response whose body is the stream.

        Raises ApiError 400, 410, and 429 and 503 if too many streams are open; Unavailable.
        """
        account_sid, member = call.caller.account_sid, call.caller.member
        parameters = ListEvents.parse(call.form)
        if parameters.is_descending:
            raise ApiError(20001, "Invalid Order: a stream is in the order of the log.")
        filters = parameters.filters()
        self._streams.enter(account_sid, member)
        try:
            # Before the position is read, so that no event after it is missed.
            wait = await self._lists.enter(account_sid, member, _TOPICS)
        except BaseException:
            self._streams.leave(account_sid, member)
            raise
        try:
            position = await self._position(request, call, filters)
            await self._audit.record_apart(self._store, call)
        except BaseException:
            self._leave(wait)
            raise
        request.on_discard = wait.abandon
        if request.session is not None:
            request.session.on_end(wait.end)
        # The work slot is released before the response is sent.
        self._waiting.release_admission(request)

        async def close() -> None:
            request.on_discard = None
            if request.session is not None:
                request.session.on_end(None)
            self._leave(wait)

        pieces = self._pieces(request, wait, position)
        return Response(200, headers=_HEADERS, stream=BodyStream(None, pieces, close))

    async def _position(
        self, request: Request, call: Call[Any], filters: EventFilters
    ) -> _Position:
        feed = self._feeds(Scope(call.caller.account_sid))
        name, text = _LAST_EVENT_ID, request.header(b"last-event-id")
        if not text:
            name, text = "After", call.form.get("After", [None])[-1]

        async def find(tx: Transaction) -> int:
            if text is None:
                return await feed.first_position(tx, filters, event_feed.NOW)
            return await feed.position(tx, text, name)

        number = await self._store.read(find, account_sid=call.caller.account_sid)
        return _Position(feed, filters, number)

    def _leave(self, wait: ListWait) -> None:
        self._lists.leave(wait)
        self._streams.leave(wait.account_sid, wait.member)
        if not self._streams.running:
            self._shared.clear()

    async def _pieces(
        self, request: Request, wait: ListWait, position: _Position
    ) -> AsyncGenerator[bytes, None]:
        """Yield the stream in parts. Raises ClientDisconnectedError."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + limits.EVENT_STREAM_SECONDS_MAX
        written_at, was_notified, moment = loop.time(), False, 0
        yield _comment(position)
        while not wait.is_ended and loop.time() < ends_at:
            part = await self._read(request, wait, position, moment)
            if part is None:
                return
            if part.text:
                yield part.text
                written_at = loop.time()
            if part.has_more:
                # Other requests run between two parts of a long catch-up.
                moment = await self._pause(request)
                continue
            until = written_at + limits.EVENT_STREAM_COMMENT_SECONDS
            if was_notified:
                # The event may be a change of the login, and the login is cached.
                until = min(until, loop.time() + limits.LOGIN_CACHE_MS_MAX / 1000)
            if request.session is not None:
                # Its end is no event, and may be on another node.
                until = min(until, loop.time() + limits.CONSOLE_STREAM_CHECK_SECONDS)
            wait.restart(until - loop.time())
            try:
                was_notified = await wait.wait(self._lists.interval_seconds)
            except ListWaitAbandoned:
                raise ClientDisconnectedError from None
            moment = await self._pause(request)
            if loop.time() >= written_at + limits.EVENT_STREAM_COMMENT_SECONDS:
                yield _comment(position)
                written_at = loop.time()

    async def _pause(self, request: Request) -> int:
        """Let other requests run; return the moment of the next read, or 0 if it is not shared."""
        if request.session is None:
            await asyncio.sleep(0)
            return 0
        return await _next_moment(asyncio.get_running_loop())

    async def _read(
        self, request: Request, wait: ListWait, position: _Position, moment: int
    ) -> _Part | None:
        """Read on; return None if the stream has to end. ``moment``: of a shared read, or 0."""
        try:
            await self._check_login(request)
            if moment:
                part = await self._shared_part(wait.account_sid, position, moment)
            else:
                count = limits.EVENTS_PER_STREAM_READ
                part = await self._part(wait.account_sid, position, count)
        except (ApiError, Busy, Unavailable) as error:
            clear_tracebacks(error)
            return None
        position.number = part.position
        return part

    async def _shared_part(self, account_sid: str, position: _Position, moment: int) -> _Part:
        """Return the part from a position, as of a moment or later.

        Of an earlier moment it could be without the event that the stream was woken by.
        """
        return await self._shared.read(
            moment,
            (account_sid, position.filters, position.number),
            lambda: self._part(account_sid, position, limits.CONSOLE_EVENTS_PER_STREAM_READ),
        )

    async def _part(self, account_sid: str, position: _Position, count: int) -> _Part:
        page = await self._store.read(
            lambda tx: position.feed.read(tx, position.filters, position.number, count),
            account_sid=account_sid,
        )
        text = b"".join(_event(each) for each in page.events)
        return _Part(text, page.position, page.has_more)

    async def _check_login(self, request: Request) -> None:
        """Raise ApiError if the login or the session of a stream is no longer valid."""
        if request.session is not None:
            await request.session.check()
            return
        peer = self._client_addresses.address_of(request)
        await self._authentication.authenticate(request.block, peer)


async def _next_moment(loop: asyncio.AbstractEventLoop) -> int:
    """Wait for the next moment at which the streams of sessions are read; return its number."""
    moment = int(loop.time() * limits.CONSOLE_STREAM_READS_PER_SECOND) + 1
    await asyncio.sleep(moment / limits.CONSOLE_STREAM_READS_PER_SECOND - loop.time())
    return moment


def _comment(position: _Position) -> bytes:
    """Return a comment and an id without data, which dispatches no event."""
    return b":\nid: %s\n\n" % position.feed.end_cursor(position.number).encode()


def _event(shown: event_feed.FeedEvent) -> bytes:
    data = encode(event_representation.resource(shown))
    return b"id: %s\ndata: %s\n\n" % (shown.cursor.encode(), data)
