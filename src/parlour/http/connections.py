"""The HTTP connections of one process: caps, eviction, deadlines, shutdown, shared buffers.

Beyond the cap per address a new connection is refused. Beyond the other caps one is evicted.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from parlour.http import open_files
from parlour.http.connection import HttpConnection
from parlour.http.heap_trimmer import HeapTrimmer
from parlour.http.messages import encode
from parlour.http.request_scheduler import RequestScheduler
from parlour.protocol.header_block import HeaderBlockCache
from parlour.vocabulary import limits
from parlour.vocabulary.errors import RETRY_AFTER_LINE, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from parlour.config import Settings
    from parlour.http.server import HttpServer
    from parlour.operations.buffers import BufferPool
    from parlour.vocabulary.clock import Clock

_CLOSING_REFUSALS: Final = {
    400: encode(ApiError(20001, "Invalid HTTP request").body()),
    403: encode(ApiError(20403).body()),
    414: encode(ApiError(20001, "The URL is too long", status=414).body()),
    431: encode(ApiError(20001, "The headers are too large", status=431).body()),
    503: encode(ApiError(20503).body()),
}


class ConnectionCaps(NamedTuple):
    """The maximum numbers of connections, WebSockets included.

    Trusted proxies have no limit per address.
    """

    total_max: int
    unauthenticated_max: int
    per_address_max: int
    is_trusted: Callable[[str], bool]


def connection_caps(settings: Settings, is_trusted: Callable[[str], bool]) -> ConnectionCaps:
    """Return the caps by the settings and the limit of open files."""
    total_max = open_files.connections_max(settings)
    unauthenticated_max = min(limits.UNAUTHENTICATED_CONNECTIONS_MAX, total_max)
    if settings.tls_cert:
        tls_max = limits.UNAUTHENTICATED_TLS_CONNECTIONS_MAX
        unauthenticated_max = min(unauthenticated_max, tls_max)
    return ConnectionCaps(
        total_max, unauthenticated_max, settings.connections_per_address_max, is_trusted
    )


class CountedConnection(Protocol):
    """A connection or a WebSocket that the caps count."""

    def abort(self) -> None:
        """Abort it."""
        ...


class TrackedConnection(CountedConnection, Protocol):
    """An HTTP connection, or its TLS handshake."""

    peer: str
    deadline: float

    @property
    def account_sid(self) -> str:
        """The account of the last request; empty before the first."""
        ...

    @property
    def waits_for_client(self) -> bool:
        """Whether the client is slow to send a request or to read a response."""
        ...

    @property
    def idle_since(self) -> float | None:
        """The time since which it is idle; None while it has a request."""
        ...

    def expire(self) -> None:
        """Handle the passed deadline."""
        ...

    def stop(self) -> None:
        """Close it unless a request is active."""
        ...


def _idle_since(connection: TrackedConnection) -> float:
    return connection.idle_since or 0.0


def _deadline(connection: TrackedConnection) -> float:
    return connection.deadline


# A connection is counted from its accept to its close, in three sets:
#
# ===============  ===================================================  ===========================
# set              members                                              cap
# ===============  ===================================================  ===========================
# all              HTTP connections, TLS handshakes and WebSockets      ``total_max``
# unauthenticated  those without an authenticated request or init       ``unauthenticated_max``
# per address      connections of one client address, without proxies   ``per_address_max``
# ===============  ===================================================  ===========================
#
# Invariants: a connection is in ``_open`` or, after its upgrade, in ``_sockets``, never in both;
# each unauthenticated one is also in one of these; ``_count_by_address`` is the number per address.
#
# Order of eviction, each only if the one before finds none: a WebSocket that waits for its close
# frame, idle connections, unauthenticated ones, slow clients. An active request is evicted only if
# its client is slow, an authenticated WebSocket only while it is closing.
class HttpConnections:
    """All open HTTP connections, and the WebSockets that were upgraded from one.

    A WebSocket keeps the slot of its connection in all caps until it is closed. It is
    unauthenticated until its init succeeds, even if requests of its connection were authenticated.
    """

    def __init__(
        self,
        server: HttpServer,
        open_socket: Callable[[Any], Any],
        buffers: BufferPool,
        clock: Clock,
        caps: ConnectionCaps,
    ) -> None:
        """``open_socket`` creates the protocol of a WebSocket.

        The WebSocket calls ``mark_authenticated`` and ``discard`` of its argument.
        """
        self.server = server
        self.buffers = buffers
        self._open_socket = open_socket
        self._clock = clock
        self._caps = caps
        self.loop = asyncio.get_running_loop()
        self.receive_buffer = memoryview(bytearray(limits.READ_BYTES_MAX))
        """The receive buffer of all connections: copied from before the next callback."""
        self.scheduler = RequestScheduler(self.loop, clock)
        self.header_blocks = HeaderBlockCache()
        self.is_stopping = False
        self.on_stop: Callable[[], None] | None = None
        """Called at the start of the shutdown: ends requests that wait."""
        self.now = self.loop.time()
        """The event loop's time at the last check of the deadlines."""
        self.waiting_response_bytes = 0
        """The size of the responses that wait for room in the buffer pool."""
        self._open: set[TrackedConnection] = set()
        self._unauthenticated: dict[CountedConnection, None] = {}
        """Connections without an authenticated request, the oldest first."""
        self._sockets: dict[CountedConnection, str] = {}
        """WebSockets, and the addresses of their peers."""
        self._ending: dict[CountedConnection, None] = {}
        """WebSockets that wait for the client's close frame, the oldest first."""
        self._count_by_address: Counter[str] = Counter()
        # The event loop has only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()
        self._all_closed: asyncio.Future[None] | None = None
        self._date = b""
        self._starts: dict[int, bytes] = {}
        self._refusals: dict[int, tuple[bytes, bytes]] = {}
        self._trimmer = HeapTrimmer(buffers, self.loop)
        self._releases: asyncio.TimerHandle | None = None
        self._tick()

    def make_protocol(self) -> HttpConnection:
        """Return the protocol of a new connection."""
        return HttpConnection(self)

    def add(self, connection: TrackedConnection) -> bool:
        """Count a new connection; return False if a cap is reached and none can be evicted."""
        if connection in self._open:  # It has replaced its TLS handshake.
            return True
        self._open.add(connection)
        self._unauthenticated[connection] = None
        caps, peer = self._caps, connection.peer
        # A proxy has one address for all its clients.
        is_counted = not caps.is_trusted(peer)
        if is_counted:
            self._count_by_address[peer] += 1
            # Counted even if refused: ``discard`` at its close subtracts it.
            if self._count_by_address[peer] > caps.per_address_max:
                return False
        if len(
            self._unauthenticated
        ) > caps.unauthenticated_max and not self._close_unauthenticated(connection):
            return False
        in_all = len(self._open) + len(self._sockets)
        return in_all <= caps.total_max or self._make_room(connection)

    def replace(self, handshake: TrackedConnection, connection: HttpConnection) -> None:
        """Replace a completed TLS handshake by its connection, in the same slot."""
        self._open.remove(handshake)
        self._open.add(connection)
        del self._unauthenticated[handshake]
        self._unauthenticated[connection] = None
        connection.peer = handshake.peer

    def upgrade_to_websocket(self, connection: HttpConnection) -> Any:
        """Return the protocol of a WebSocket that replaces a connection; None: a cap is reached."""
        if self.is_stopping:
            return None
        # The WebSocket is unauthenticated until its init, so it needs a place in that cap again.
        if connection not in self._unauthenticated:
            self._unauthenticated[connection] = None
            is_full = len(self._unauthenticated) > self._caps.unauthenticated_max
            if is_full and not self._close_unauthenticated(connection):
                return None
        socket = self._open_socket(self)
        del self._unauthenticated[connection]
        self._unauthenticated[socket] = None
        self._open.remove(connection)
        self._sockets[socket] = connection.peer
        return socket

    def discard(self, counted: Any) -> None:
        """Stop counting a closed connection or WebSocket."""
        self._unauthenticated.pop(counted, None)
        self._ending.pop(counted, None)
        if counted in self._sockets:
            self._leave_address(self._sockets.pop(counted))
        elif counted in self._open:
            self._open.remove(counted)
            self._leave_address(counted.peer)
            if self._all_closed is not None and not self._open and not self._all_closed.done():
                self._all_closed.set_result(None)

    def _leave_address(self, peer: str) -> None:
        if peer in self._count_by_address:
            self._count_by_address[peer] -= 1
            if not self._count_by_address[peer]:
                del self._count_by_address[peer]

    def mark_authenticated(self, counted: Any) -> None:
        """Record that a request of a connection, or the init of a WebSocket, was authenticated."""
        self._unauthenticated.pop(counted, None)

    def mark_closing(self, counted: Any) -> None:
        """Record that a WebSocket only waits for the client's close frame."""
        if counted in self._sockets:
            self._ending[counted] = None

    def _make_room(self, newcomer: TrackedConnection) -> bool:
        """Evict for a new connection: closing WebSockets, idle, unauthenticated, slow clients.

        WebSockets before their init are unauthenticated; authenticated ones are evicted only
        while they are closing.
        """
        if self._ending:
            ending = next(iter(self._ending))
            ending.abort()
            self.discard(ending)
            return True
        return (
            self._close_idle(newcomer)
            or self._close_unauthenticated(newcomer)
            or self._close_slow(newcomer)
        )

    def _close_slow(self, newcomer: TrackedConnection) -> bool:
        """Evict connections with slow clients, of the account with most of them."""
        # By account: the one with most slow clients makes the room.
        slow: dict[str, list[TrackedConnection]] = {}
        for each in self._open:
            if each.waits_for_client and each is not newcomer:
                slow.setdefault(each.account_sid, []).append(each)
        most = max(slow.values(), key=len, default=[])
        count = min(limits.IDLE_CLOSED_MAX, 1 + len(most) // limits.IDLE_CLOSED_MAX)
        for connection in heapq.nsmallest(count, most, key=_deadline):
            connection.abort()
            self.discard(connection)
        return bool(most)

    def _close_unauthenticated(self, newcomer: TrackedConnection) -> bool:
        """Evict the oldest unauthenticated connection without an active request."""
        for counted in self._unauthenticated:
            is_active = isinstance(counted, HttpConnection) and counted.is_active
            if is_active or counted is newcomer:
                continue
            counted.abort()
            self.discard(counted)
            return True
        return False

    def _close_idle(self, newcomer: TrackedConnection) -> bool:
        """Evict the connections that are idle longest."""
        idle = [each for each in self._open if each.idle_since is not None and each is not newcomer]
        # Several at once: the scan of all connections is paid once per batch.
        count = min(limits.IDLE_CLOSED_MAX, 1 + len(idle) // limits.IDLE_CLOSED_MAX)
        for connection in heapq.nsmallest(count, idle, key=_idle_since):
            connection.abort()
            self.discard(connection)
        return bool(idle)

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a background task of a connection."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __len__(self) -> int:
        """Return the number of open HTTP connections."""
        return len(self._open)

    @property
    def websockets(self) -> int:
        """The number of open WebSockets."""
        return len(self._sockets)

    @property
    def total_max(self) -> int:
        """The maximum number of both."""
        return self._caps.total_max

    def _tick(self) -> None:
        """Check all deadlines: one timer for all connections."""
        seconds = limits.DEADLINE_CHECK_MS / 1000
        self._timer = self.loop.call_later(seconds, self._tick)
        now = self.now = self.loop.time()
        date = formatdate(self._clock.now_ms() // 1000, usegmt=True).encode()
        if date != self._date:
            # Prepared response heads contain the date: rebuilt at most once a second.
            self._date = date
            self._starts.clear()
            self._refusals.clear()
        self._trimmer.check()
        # A copy: ``expire`` may remove connections from the set.
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.expire()

    def status_line(self, status: int) -> bytes:
        """Return the status line of a response and its date."""
        start = self._starts.get(status)
        if start is None:
            phrase = HTTPStatus(status).phrase.encode()
            start = b"HTTP/1.1 %d %s\r\ndate: %s\r\n" % (status, phrase, self._date)
            self._starts[status] = start
        return start

    def prepared_refusal(self, status: int) -> bytes:
        """Return a prepared 401, 429 or 503, complete; count it as sent."""
        prepared = self._refusals.get(status)
        if prepared is None:
            lines, body = self.server.refusal_parts(status)
            prepared = self.status_line(status) + lines, b"\r\n" + body
            self._refusals[status] = prepared
        return b"%s%s%s" % (prepared[0], self.server.count_refusal(status), prepared[1])

    def closing_refusal(self, status: int, *, for_console: bool = False) -> bytes:
        """Return an error response that ends the connection: malformed request, or no room."""
        body = _CLOSING_REFUSALS[status]
        lines = self.server.refusal_lines(status, body, for_console=for_console)
        retry = RETRY_AFTER_LINE if status == 503 else b""
        return b"".join(
            (self.status_line(status), lines, retry, b"connection: close\r\n\r\n", body)
        )

    # --- Delayed refusals -------------------------------------------------------------------------

    def delay_refusal(self, refused: HttpConnection, status: int) -> bool:
        """Delay a refusal if there are too many; return False if it must be sent now."""
        if not self.server.held_refusals.hold((refused, status)):
            return False
        if self._releases is None:
            self._releases = self.loop.call_later(limits.REFUSAL_STEP_MS / 1000, self._release)
        return True

    def _release(self) -> None:
        """Send the refusals that are due, and schedule the others."""
        for connection, status in self.server.held_refusals.due():
            connection.send_refusal(status)
        self._releases = None
        if self.server.held_refusals:
            self._releases = self.loop.call_later(limits.REFUSAL_STEP_MS / 1000, self._release)

    async def stop(self) -> None:
        """Close idle connections; wait for active requests up to DRAIN_SECONDS_MAX."""
        # 1. WebSockets and idle connections close; active requests end with Connection: close.
        self.is_stopping = True
        if self.on_stop is not None:
            self.on_stop()
        sockets: list[Any] = list(self._sockets)
        for socket in sockets:
            socket.shutdown()
        for connection in list(self._open):
            connection.stop()
        # 2. Drain, with a timeout. 3. Abort the rest.
        if self._open:
            self._all_closed = self.loop.create_future()
            await asyncio.wait((self._all_closed,), timeout=limits.DRAIN_SECONDS_MAX)
        for connection in list(self._open):
            connection.abort()
        self._timer.cancel()
        if self._releases is not None:
            self._releases.cancel()
