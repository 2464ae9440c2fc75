"""The states of a connection: they change only as the table in connection_states.py allows."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parlour.http import body_reader, connection_states
from parlour.http.connections import ConnectionCaps, HttpConnections
from parlour.operations.buffers import BufferPool
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemClock
from tests.unit.http.scripted_connection import STATES, Script, SlowKernel, WatchedConnection
from tests.virtual_time.virtual_loop import virtual_loop

if TYPE_CHECKING:
    from collections.abc import Callable

LEGAL: Final = {
    "IDLE": {"HEAD", "ACTIVE", "LINGER"},
    "HEAD": {"ACTIVE", "LINGER"},
    "ACTIVE": {"QUEUED", "IDLE", "DRAIN", "LINGER", "CLOSED"},
    "QUEUED": {"IDLE"},
    "DRAIN": {"QUEUED", "IDLE", "LINGER"},
    "LINGER": {"CLOSED"},
    "CLOSED": set[str](),
}
"""The legal transitions. CLOSED follows any state: the client disconnects, or a timeout."""

SLACK_SECONDS: Final = 2 * limits.DEADLINE_CHECK_MS / 1000
SECONDS_MAX: Final = {
    "IDLE": limits.KEEP_ALIVE_SECONDS,
    "HEAD": limits.HEAD_SECONDS_MAX,
    "DRAIN": limits.REQUEST_SECONDS_MAX,
    "LINGER": limits.LINGER_SECONDS_MAX,
}
NAMES_OF_LIMITS: Final = re.compile(r"[A-Z_]+_(?:SECONDS|SECONDS_MAX)\b")

HEAD_BYTES_MAX: Final = (
    limits.URL_PATH_BYTES_MAX + limits.URL_QUERY_BYTES_MAX + limits.HEADER_BYTES_MAX
)
# A head that is parsed as it arrives is stored as bytes and as headers.
BYTES_MAX: Final = {
    "IDLE": limits.UNCOUNTED_BYTES_MAX,
    "HEAD": 2 * (HEAD_BYTES_MAX + limits.READ_BYTES_MAX),
    "ACTIVE": HEAD_BYTES_MAX + limits.BODY_BYTES_MAX + 2 * limits.READ_BYTES_MAX,
    "QUEUED": limits.UNCOUNTED_BYTES_MAX + limits.READ_BYTES_MAX,
    # A line of a trailer that has not come to its end.
    "DRAIN": limits.UNCOUNTED_BYTES_MAX + limits.TRAILER_BYTES_MAX,
    "LINGER": limits.UNCOUNTED_BYTES_MAX + limits.TRAILER_BYTES_MAX,
    "CLOSED": limits.UNCOUNTED_BYTES_MAX + limits.TRAILER_BYTES_MAX,
}


def table() -> dict[str, list[str]]:
    """The rows of the table of states: by state, the text of each column."""
    assert connection_states.__doc__ is not None
    rule_line = next(
        line for line in connection_states.__doc__.splitlines() if line.startswith("===")
    )
    starts = [match.start() for match in re.finditer(r"=+", rule_line)]
    rows: dict[str, list[str]] = {}
    name = ""
    for line in connection_states.__doc__.split(rule_line)[2].splitlines():
        cells = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        name = cells[0] or name
        if name:
            before = rows.get(name, ["", "", "", ""])
            rows[name] = [f"{old} {new}".strip() for old, new in zip(before, cells, strict=True)]
    return rows


def test_the_table_in_the_docstring_is_this_one() -> None:
    rows = table()
    assert tuple(rows) == STATES
    for state, following in connection_states.NEXT.items():
        assert {STATES[each] for each in following} == LEGAL[STATES[state]] - {"CLOSED"}
    for state, (_, _, following, deadline) in rows.items():
        assert set(re.findall(r"[A-Z]{4,}\b(?<!_MAX)", following)) & set(STATES) == LEGAL[state]
        names = NAMES_OF_LIMITS.findall(deadline)
        if state in SECONDS_MAX:
            assert SECONDS_MAX[state] == getattr(limits, names[0])


TURNS: Final = 15
"""Turns of the loop after which the state is stable without input."""
UNCOUNTED_BYTES_MAX: Final = limits.UNCOUNTED_BYTES_MAX + 512

# --- Random operations ---------------------------------------------------------------------------

WORDS = st.lists(
    st.sampled_from(["read", "pieces", "waits", "large", "closes"]), max_size=3, unique=True
)
PATHS = st.sampled_from(["/", "/known"])
HEADERS = st.lists(
    st.sampled_from(
        [
            "Authorization: right",
            "Authorization: wrong",
            "Connection: close",
            "Expect: 100-continue",
            "X: " + "x" * 5_000,
            "X: " + "y" * 20_000,
        ]
    ),
    max_size=3,
    unique=True,
)
BODY_SIZES = st.sampled_from([1, 5_000, 70_000, 400_000, limits.BODY_BYTES_MAX + 1])
OTHER_BYTES = st.sampled_from(
    [
        b"\r\n",
        b"\r",
        b"no request\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000,
        b"GET /" + b"x" * 20_000,
        b"POST /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 7_000),
    ]
)
PIECES = st.sampled_from([1 << 22, 1, 17, 300, 30_000, 1 << 21, 0])


BUFFER_BYTES = st.sampled_from([1 << 16, limits.BUFFER_BYTES_MIN])
ENDS = st.sampled_from(
    [
        b"",
        b"0\r\n\r\n",
        b"0\r\na: b\r\n\r\n",
        b"0\r\n" + 2_000 * b"a: b\r\n",
        b"0\r\na: " + 7_000 * b"b",
        b"x",
    ]
)


def head_of(method: str, path: str, words: list[str], headers: list[str]) -> bytes:
    """The head of a request."""
    line = f"{method} {path}?{'+'.join(words)} HTTP/1.1"
    return "\r\n".join([line, "Host: x", *headers, "", ""]).encode()


class Life(RuleBasedStateMachine):
    """A connection, and what its client, its server and the time do to it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = virtual_loop(FakeClock())
        self.errors: list[Any] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.to_send = b""
        self.stopped_at: float | None = None

    def run(self, act: Callable[[], None], seconds: float = 0) -> None:
        """Do something in the loop, and let all follow from it that follows at once."""

        async def run() -> None:
            act()
            if seconds:
                await asyncio.sleep(seconds)
            for _ in range(TURNS):
                await asyncio.sleep(0)

        self.loop.run_until_complete(run())

    @initialize(buffer_bytes=BUFFER_BYTES)
    def begin(self, buffer_bytes: int) -> None:
        self.run(lambda: self._connect(buffer_bytes))

    def _connect(self, buffer_bytes: int) -> None:
        self.pool = BufferPool(buffer_bytes, buffer_bytes // 2)
        self.script = Script()
        server: Any = self.script
        caps = ConnectionCaps(1, 1, 1, lambda _: False)
        self.shared = HttpConnections(
            server, lambda _: asyncio.Protocol(), self.pool, SystemClock(), caps
        )
        self.connection = WatchedConnection(self.shared)
        self.kernel = SlowKernel(self.connection)
        self.connection.connection_made(self.kernel)
        self.to_send, self.stopped_at = b"", None

    def _queue_bytes(self, data: bytes, sent: int) -> None:
        """Give the client something to send behind the rest, and let it send ``sent`` bytes.

        A client whose connection is lost begins again with another one.
        """
        if self.kernel.is_lost:
            self._end_all()
            self.run(lambda: self._connect(self.pool.authenticated.capacity * 2))
        self.to_send += data
        if sent:
            self.run(lambda: self._send(sent))

    def _end_all(self) -> None:
        """End the requests of a connection that is lost, and its server."""
        self.script.may_go_on.set()
        self.run(lambda: self.shared.start_task(self.shared.stop()))

    # --- The client -----------------------------------------------------------------------------

    @rule(path=PATHS, words=WORDS, headers=HEADERS, sent=PIECES)
    def get(self, path: str, words: list[str], headers: list[str], sent: int) -> None:
        self._queue_bytes(head_of("GET", path, words, headers), sent)

    @rule(
        path=PATHS,
        words=WORDS,
        headers=HEADERS,
        size=BODY_SIZES,
        share=st.sampled_from([0, 0.5, 1]),
        sent=PIECES,
    )
    def post(
        self, path: str, words: list[str], headers: list[str], size: int, share: float, sent: int
    ) -> None:
        headers = [*headers, f"Content-Length: {size}"]
        body = b"x" * int(size * share)
        self._queue_bytes(head_of("POST", path, words, headers) + body, sent)

    @rule(
        path=PATHS,
        words=WORDS,
        sizes=st.lists(BODY_SIZES, max_size=2),
        end=ENDS,
        sent=PIECES,
    )
    def post_chunks(
        self, path: str, words: list[str], sizes: list[int], end: bytes, sent: int
    ) -> None:
        data = head_of("POST", path, words, ["Transfer-Encoding: chunked"])
        for size in sizes:
            data += b"%x\r\n%s\r\n" % (size, b"x" * size)
        self._queue_bytes(data + end, sent)

    @rule(data=OTHER_BYTES, sent=PIECES)
    def something_else(self, data: bytes, sent: int) -> None:
        self._queue_bytes(data, sent)

    @precondition(lambda self: self.to_send and not self.kernel.is_lost)
    @rule(size=PIECES)
    def send(self, size: int) -> None:
        self.run(lambda: self._send(size))

    @precondition(lambda self: len(self.to_send) > limits.READ_BYTES_MAX)
    @rule()
    def send_for_long(self) -> None:
        for _ in range(20):
            self.run(lambda: self._send(len(self.to_send)), 0.02)

    def _send(self, size: int) -> None:
        connection, kernel = self.connection, self.kernel
        while kernel.is_read and not kernel.is_closing_now and size and self.to_send:
            buffer = connection.get_buffer(-1)
            assert buffer, "no room for bytes that are read"
            piece = self.to_send[: min(size, len(buffer))]
            buffer[: len(piece)] = piece
            connection.buffer_updated(len(piece))
            self.to_send = self.to_send[len(piece) :]
            size -= len(piece)

    @precondition(lambda self: self.connection.changes and not self.kernel.is_lost)
    @rule(sends_end=st.booleans())
    def go(self, *, sends_end: bool) -> None:
        if sends_end and not self.kernel.is_closing_now:
            self.run(self.connection.eof_received)
            self.run(self.kernel.close)
        else:
            self.run(self.kernel.abort)

    @rule(is_full=st.booleans())
    def read_answers_or_not(self, *, is_full: bool) -> None:
        self.kernel.is_full = is_full
        if not is_full:
            self.run(lambda: self.kernel.take(self.kernel.unsent))

    @precondition(lambda self: self.kernel.unsent)
    @rule()
    def read_some_of_an_answer(self) -> None:
        self.run(lambda: self.kernel.take(1 + self.kernel.unsent // 2))

    # --- The server, and time -------------------------------------------------------------------

    @rule()
    def end_what_waits(self) -> None:
        self.run(self.script.may_go_on.set)
        self.script.may_go_on.clear()

    @rule(has_room=st.booleans())
    def fill_or_empty(self, *, has_room: bool) -> None:
        self.script.work.has_room = has_room

    @rule(seconds=st.sampled_from([0.02, 4, 11, 32, 80]))
    def let_time_pass(self, seconds: float) -> None:
        self.run(lambda: None, seconds)

    @precondition(lambda self: self.stopped_at is None and self.connection.changes)
    @rule()
    def stop(self) -> None:
        self.stopped_at = self.loop.time()
        self.run(lambda: self.shared.start_task(self.shared.stop()))

    # --- What always holds ----------------------------------------------------------------------

    @invariant()
    def all_holds(self) -> None:
        self.changes_are_legal()
        self.little_is_kept_and_counted()
        self.reading_is_paused_where_it_must_be()
        self.deadlines_act()
        self.after_the_end_nothing_is_left()

    def changes_are_legal(self) -> None:
        assert not self.errors, self.errors
        for before, after in self.connection.changes:
            assert after in LEGAL[before] or after == "CLOSED", self.connection.changes
            assert before != "CLOSED", self.connection.changes
        assert self.connection.state != "QUEUED", "it waits for no event"

    def little_is_kept_and_counted(self) -> None:
        connection = self.connection
        buffered, reservation = connection.buffered_bytes(), connection._reservation
        assert buffered <= BYTES_MAX[connection.state], (connection.state, buffered)
        assert len(connection._read_ahead) <= limits.READ_BYTES_MAX
        held = 0 if reservation is None else reservation.held
        assert self.pool.used == held
        assert not held or connection.state in {"HEAD", "ACTIVE", "QUEUED"}
        assert connection._discarded_bytes <= limits.BODY_BYTES_MAX + limits.READ_BYTES_MAX or (
            connection.state != "DRAIN"
        )
        if connection.state == "ACTIVE" and connection._mode != body_reader.STREAMED:
            # The last bytes received wait for room in the buffers, and nothing more is read.
            waiting = limits.READ_BYTES_MAX if self.shared._tasks else 0
            assert buffered <= held + waiting + UNCOUNTED_BYTES_MAX, (buffered, held)

    def reading_is_paused_where_it_must_be(self) -> None:
        connection = self.connection
        state, is_paused = connection.state, connection._is_reading_paused
        if self.kernel.is_closing_now or state == "CLOSED":
            return
        assert self.kernel.is_read is not (is_paused or connection._has_yielded)
        assert not connection._has_yielded or state in {"DRAIN", "LINGER"}
        if state != "ACTIVE":
            assert not is_paused, state
        elif (
            is_paused and connection._mode != body_reader.UNREAD and connection._body_error is None
        ):
            is_full = len(connection._body) >= limits.READ_BYTES_MAX or connection._read_ahead
            assert is_full or connection._reader.is_complete or self.shared._tasks

    def deadlines_act(self) -> None:
        connection, kernel, now = self.connection, self.kernel, self.loop.time()
        if kernel.is_lost:
            return
        if self.stopped_at is not None:
            assert now - self.stopped_at <= limits.DRAIN_SECONDS_MAX + SLACK_SECONDS
        stalled = now - kernel.moved_at
        if kernel.unsent:
            # Progress is looked for once in so long, so that much may have passed before.
            assert stalled <= 2 * limits.SEND_STALL_SECONDS_MAX + SLACK_SECONDS
            return
        assert connection.deadline == connection._state_deadline
        state, seconds = connection.state, 0.0
        if state in SECONDS_MAX:
            seconds = SECONDS_MAX[state] if connection.changes else limits.HEAD_SECONDS_MAX
        elif state == "ACTIVE" and connection.is_waiting_for_body():
            seconds = limits.REQUEST_SECONDS_MAX
        if seconds:
            assert connection._state_deadline <= connection.since + seconds
            # While the client does not read a response, another deadline applies.
            passed = min(now - connection.since, stalled)
            assert passed <= seconds + SLACK_SECONDS, (state, passed)

    def after_the_end_nothing_is_left(self) -> None:
        if self.kernel.is_lost:
            assert self.connection.state == "CLOSED"
            assert self.connection.buffered_bytes() <= BYTES_MAX["CLOSED"]
            assert not self.pool.used
            assert not len(self.shared)

    def teardown(self) -> None:
        if hasattr(self, "kernel"):
            self.run(self.kernel.abort)
            self.after_the_end_nothing_is_left()
            self._end_all()
            assert not self.errors, self.errors
        tasks = asyncio.all_tasks(self.loop)
        self.loop.close()
        assert not tasks


def test_a_body_that_breaks_while_the_connection_lingers_does_not_prolong_that() -> None:
    life = Life()
    life.begin(limits.BUFFER_BYTES_MIN)
    life.post_chunks("/", ["closes"], [5], b"5\r\nabc", 1 << 20)
    life.let_time_pass(limits.LINGER_SECONDS_MAX - 1)
    assert life.connection.state == "LINGER"
    life.something_else(b"zz\r\nno size of a chunk\r\n", 1 << 20)
    assert life.connection.state == "LINGER"
    assert life.kernel.has_sent_eof
    life.all_holds()
    life.let_time_pass(1 + SLACK_SECONDS)
    assert life.kernel.is_lost
    life.teardown()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=120, stateful_step_count=40)
