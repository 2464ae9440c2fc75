"""Frames of a client: split the same for any chunks, and counted against its budget."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from parlour.realtime.inbound import FrameReader, InputBudget
from parlour.realtime.wire import decode_message
from parlour.vocabulary import limits

messages = st.one_of(
    st.binary(max_size=300),
    st.integers(0, 4).map(lambda over: b"x" * (65_534 + over)),
    st.integers(0, 4).map(lambda over: b"y" * (124 + over)),
)
frames = st.builds(
    lambda opcode, payload, fin: Frame(opcode, payload, fin).serialize(mask=True),
    st.sampled_from((Opcode.BINARY, Opcode.TEXT, Opcode.CONT)),
    messages,
    st.booleans(),
)
PING = Frame(Opcode.PING, b"").serialize(mask=True)
MESSAGE = Frame(Opcode.BINARY, b"x").serialize(mask=True)


@given(st.lists(frames, max_size=6), st.lists(st.integers(0, 400_000), max_size=8), st.booleans())
def test_a_stream_is_split_at_frame_ends_for_any_chunks(
    sent: list[bytes], places: list[int], takes_at_once: bool
) -> None:
    stream = b"".join(sent)
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    reader = FrameReader()
    found: list[bytes] = []
    for begin, end in pairwise(edges):
        reader.feed(stream[begin:end])
        while takes_at_once and (frame := reader.next_frame()) is not None:
            found.append(frame)
    while (frame := reader.next_frame()) is not None:
        found.append(frame)
    assert found == sent
    assert len(reader) == 0


def test_a_frame_in_single_bytes_is_read_and_nothing_is_left() -> None:
    frame = Frame(Opcode.BINARY, b"z" * 100_000).serialize(mask=True)
    reader = FrameReader()
    for at in range(len(frame) - 1):
        reader.feed(frame[at : at + 1])
        assert reader.next_frame() is None
    reader.feed(frame[-1:])
    assert reader.next_frame() == frame
    assert len(reader) == 0


@pytest.mark.parametrize("piece_bytes", [2_000_000, 65_536])
@pytest.mark.parametrize("after", [b"", PING[:1], PING[:5]], ids=["whole", "1 more", "5 more"])
def test_received_frames_are_not_retained_in_memory(piece_bytes: int, after: bytes) -> None:
    frame = Frame(Opcode.BINARY, b"z" * 1_000_000).serialize(mask=True)
    reader = FrameReader()
    tracemalloc.start()
    try:
        stream = frame + after
        for begin in range(0, len(stream), piece_bytes):
            reader.feed(stream[begin : begin + piece_bytes])
        assert len(reader) == len(stream)
        del stream
        taken = reader.next_frame()
        assert taken == frame
        del taken
        assert reader.next_frame() is None
        assert len(reader) == len(after)
        assert tracemalloc.get_traced_memory()[0] < 4096
    finally:
        tracemalloc.stop()


def test_frames_that_wait_are_counted_with_the_memory_that_they_keep() -> None:
    frame = Frame(Opcode.BINARY, b"z" * 1_000_000).serialize(mask=True)
    reader = FrameReader()
    reader.feed(frame + PING)
    reader.next_frame()
    assert len(reader) == len(frame) + len(PING)
    assert reader.next_frame() == PING
    assert len(reader) == 0


def test_a_frame_that_is_too_long_is_not_waited_for() -> None:
    size = limits.SOCKET_MESSAGE_BYTES_MAX + 1
    head = bytes((0x82, 0xFF)) + size.to_bytes(8, "big") + b"mask"
    reader = FrameReader()
    reader.feed(head + b"payload")
    assert reader.next_frame() == head
    assert decode_message(head) is None


def test_before_init_bytes_and_frames_of_every_kind_are_counted_in_all() -> None:
    budget = InputBudget(0.0)
    assert budget.spend_bytes(limits.INIT_BYTES_MAX)
    assert not budget.spend_bytes(1)
    budget.refill(1000.0, 1000)
    assert not budget.spend_bytes(1)
    assert all(budget.spend_frame(MESSAGE) for _ in range(limits.INIT_FRAMES_MAX - 1))
    assert budget.spend_frame(PING)
    assert not budget.spend_frame(PING)


@pytest.mark.parametrize(
    ("frame", "per_second"),
    [
        (PING, limits.SOCKET_CONTROL_FRAMES_PER_SECOND),
        (MESSAGE, limits.SOCKET_MESSAGES_PER_SECOND),
    ],
    ids=["pings", "messages"],
)
def test_after_init_frames_are_allowed_at_their_rate_and_for_a_burst(
    frame: bytes, per_second: int
) -> None:
    budget = InputBudget(0.0)
    budget.accept_init(0.0)
    burst = per_second * limits.SOCKET_BURST_SECONDS
    assert all(budget.spend_frame(frame) for _ in range(burst))
    assert not budget.spend_frame(frame)
    budget = InputBudget(0.0)
    budget.accept_init(0.0)
    for second in range(1, 3 * limits.SOCKET_BURST_SECONDS):
        assert all(budget.spend_frame(frame) for _ in range(per_second))
        budget.refill(float(second), 0)


def test_after_init_bytes_are_allowed_at_their_rate_and_for_a_burst() -> None:
    budget = InputBudget(0.0)
    budget.accept_init(0.0)
    assert budget.spend_bytes(limits.SOCKET_BURST_BYTES)
    assert not budget.spend_bytes(1)
    budget.refill(1.0, 0)
    assert budget.spend_bytes(limits.SOCKET_BYTES_PER_SECOND - 1)
    assert not budget.spend_bytes(1)
    budget.refill(1.0, 2)
    assert budget.spend_bytes(2 * limits.ACKNOWLEDGEMENT_BYTES - 1)
    assert not budget.spend_bytes(1)


def test_acknowledged_frames_cost_nothing() -> None:
    budget = InputBudget(0.0)
    budget.accept_init(0.0)
    for _ in range(20):
        budget.refill(0.0, 10_000)
        assert all(budget.spend_frame(MESSAGE) for _ in range(10_000))


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 5_000)), max_size=30))
def test_no_client_sends_more_than_the_burst_and_the_rate(steps: list[tuple[float, int]]) -> None:
    budget, now, sent = InputBudget(0.0), 0.0, 0
    budget.accept_init(0.0)
    for seconds, count in steps:
        now += seconds
        budget.refill(now, 0)
        if not budget.spend_bytes(count * 1024):
            break
        sent += count * 1024
    rate = limits.SOCKET_BYTES_PER_SECOND
    assert sent <= rate * (limits.SOCKET_BURST_SECONDS + now) + 1
