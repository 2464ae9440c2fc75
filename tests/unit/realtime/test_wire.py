"""Frames as bytes: this codec and the library's read each other's output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol
from websockets.speedups import apply_mask as compiled
from websockets.utils import apply_mask as interpreted

from parlour.realtime import wire
from parlour.realtime.wire import decode_message, encode_frame

messages = st.one_of(
    st.binary(max_size=300),
    st.integers(0, 4).map(lambda over: b"x" * (65_534 + over)),
    st.integers(0, 4).map(lambda over: b"y" * (124 + over)),
)


@given(messages)
def test_a_client_reads_encoded_frames(message: bytes) -> None:
    client = Protocol(CLIENT, state=OPEN)
    client.receive_data(encode_frame(message))
    (event,) = client.events_received()
    assert isinstance(event, Frame)
    assert (event.opcode, bytes(event.data), event.fin) == (Opcode.BINARY, message, True)


@given(messages)
def test_a_whole_binary_message_is_read(message: bytes) -> None:
    assert decode_message(Frame(Opcode.BINARY, message).serialize(mask=True)) == message


def test_frames_are_unmasked_by_the_compiled_function() -> None:
    """It takes a hundredth of the time: a large frame holds up the event loop for 20 us."""
    assert wire.apply_mask is compiled


@given(messages)
def test_frames_are_read_without_the_compiled_function(message: bytes) -> None:
    frame = Frame(Opcode.BINARY, message).serialize(mask=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "apply_mask", interpreted)
        assert decode_message(frame) == message


@given(messages, st.sampled_from((Opcode.TEXT, Opcode.CONT, Opcode.PING, Opcode.CLOSE)))
def test_other_frames_are_the_librarys(message: bytes, opcode: Opcode) -> None:
    assert decode_message(Frame(opcode, message[:100]).serialize(mask=True)) is None


def test_parts_and_unmasked_frames_are_the_librarys() -> None:
    assert decode_message(Frame(Opcode.BINARY, b"part", fin=False).serialize(mask=True)) is None
    assert decode_message(Frame(Opcode.BINARY, b"bare").serialize(mask=False)) is None
