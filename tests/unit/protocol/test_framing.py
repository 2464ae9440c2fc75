"""Frames: compatible with the official client in both directions, and robust against garbage."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parlour.protocol import twilsock_frames
from parlour.protocol.twilsock_frames import Frame, FrameError, parse, write
from parlour.vocabulary import limits

# Bytes that the official client sent.
CLOSE = (
    b'TWILSOCK V3.0 81\r\n{"id":"TMe6ce2a08-7356-450b-ab28-bc08a11a24c9","method":"close",'
    b'"payload_size":0}\r\n'
)
ACKNOWLEDGED = (
    b'TWILSOCK V3.0 147\r\n{"id":"TMc1e716acd12e627ebc22a37791103219","method":"reply",'
    b'"payload_type":"application/json","status":{"code":200,"status":"OK"},"payload_size":0}\r\n'
)
REQUEST = (
    b'TWILSOCK V3.0 268\r\n{"id":"TM27c00159-df5e-4ab8-ad38-555defd34d34","method":"message",'
    b'"active_grant":"ip_messaging","payload_type":"application/json",'
    b'"http_request":{"host":"aim.us1.twilio.com","path":"/Client/v2/MyConversations",'
    b'"method":"GET","params":{},"headers":{}},"payload_size":0}\r\n'
)
# Bytes of a response that the official client accepted.
ANSWER = (
    b'TWILSOCK V3.0 309\r\n{"method":"reply","id":"TM72277d41-8ef7-45c8-99e9-b6f4bf28ca9f",'
    b'"status":{"code":200,"status":"OK"},"http_status":{"code":202,"status":"Accepted"},'
    b'"http_headers":{"content-type":"application/json",'
    b'"i-twilio-request-id":"RQa14bd2d164d4775d717120481028c754"},"payload_size":70,'
    b'"payload_type":"application/json"}\r\n'
    b'{"max_batch_size":1000,"estimated_delivery_in_ms":10000,"ttl_in_s":-1}\r\n'
)


def frame(header: Any, payload: bytes = b"", end: bytes = b"") -> bytes:
    """A frame of any header, as this file alone writes it."""
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b"TWILSOCK V3.0 %d\r\n%b\r\n%b%b" % (len(written), written, payload, end)


def named(**members: Any) -> dict[str, Any]:
    return {"id": "TM1", "method": "ping", **members}


# --- Reading ----------------------------------------------------------------------------


def test_frames_of_the_official_client_are_read() -> None:
    closed = parse(CLOSE)
    assert isinstance(closed, Frame)
    assert (closed.id, closed.method) == ("TMe6ce2a08-7356-450b-ab28-bc08a11a24c9", "close")
    assert closed.payload == b""
    acknowledged = parse(ACKNOWLEDGED)
    assert isinstance(acknowledged, Frame)
    assert acknowledged.header["status"] == {"code": 200, "status": "OK"}
    request = parse(REQUEST)
    assert isinstance(request, Frame)
    assert request.header["http_request"]["path"] == "/Client/v2/MyConversations"


def test_a_payload_may_be_followed_by_one_line_end() -> None:
    answer = parse(ANSWER)
    assert isinstance(answer, Frame)
    assert json.loads(answer.payload)["ttl_in_s"] == -1
    assert parse(ANSWER.removesuffix(b"\r\n")) == answer
    assert parse(ANSWER + b"\r\n") is FrameError.PAYLOAD_TOO_LONG
    assert parse(CLOSE + b"\r\n") == parse(CLOSE)


@pytest.mark.parametrize("size", [{}, {"payload_size": 0}, {"payload_size": None}])
def test_a_frame_need_not_have_a_payload(size: dict[str, Any]) -> None:
    assert parse(frame(named(**size))) == Frame("TM1", "ping", named(**size), b"")


def test_lengths_count_bytes() -> None:
    header = named(text="äöü€🎉", payload_size=4)
    written = json.dumps(header, ensure_ascii=False).encode()
    read = parse(frame(written, "🎉".encode()))
    assert read == Frame("TM1", "ping", header, "🎉".encode())


@pytest.mark.parametrize(
    ("raw", "wrong"),
    [
        (b"", FrameError.NOT_TWILSOCK),
        (b"\r\n", FrameError.NOT_TWILSOCK),
        (CLOSE.lower(), FrameError.NOT_TWILSOCK),
        (CLOSE.replace(b"V3.0", b"V3.1"), FrameError.NOT_TWILSOCK),
        (CLOSE.replace(b"V3.0", b"V3x0"), FrameError.NOT_TWILSOCK),
        (CLOSE.replace(b"81", b"-1"), FrameError.NOT_TWILSOCK),
        (CLOSE.replace(b"81", b"+81"), FrameError.NOT_TWILSOCK),
        (CLOSE.replace(b"81", b" 81"), FrameError.NOT_TWILSOCK),
        (CLOSE.replace(b"81", "８１".encode()), FrameError.NOT_TWILSOCK),
        (CLOSE.replace(b"81", b"9" * 10_000), FrameError.NOT_TWILSOCK),
        (CLOSE.replace(b"\r\n", b"\n"), FrameError.NOT_TWILSOCK),
        (b" " + CLOSE, FrameError.NOT_TWILSOCK),
        (CLOSE.replace(b"81", b"65537"), FrameError.HEADER_TOO_LARGE),
        (CLOSE.replace(b"81", b"999999999"), FrameError.HEADER_TOO_LARGE),
        (CLOSE.replace(b"81", b"80"), FrameError.HEADER_CUT),
        (CLOSE.replace(b"81", b"82"), FrameError.HEADER_CUT),
        (CLOSE.removesuffix(b"\r\n"), FrameError.HEADER_CUT),
        (CLOSE[:30], FrameError.HEADER_CUT),
        (frame(named(more=[[]] * 1000)), FrameError.HEADER_TOO_LARGE),
        (frame(named(more=[{}] * 1000)), FrameError.HEADER_TOO_LARGE),
        (frame(b""), FrameError.HEADER_NOT_JSON),
        (frame(b"{"), FrameError.HEADER_NOT_JSON),
        (frame(b"null"), FrameError.HEADER_NOT_JSON),
        (frame(["ping"]), FrameError.HEADER_NOT_JSON),
        (frame(b'{"id":"\xff"}'), FrameError.HEADER_NOT_JSON),
        (frame(b'{"id":"\\ud800"}'), FrameError.HEADER_NOT_JSON),
        (frame(b'{"id":' + b"[" * 50_000), FrameError.HEADER_NOT_JSON),
        (frame(b'{"id":' + b"9" * 5000 + b"}"), FrameError.HEADER_NOT_JSON),
        (frame({}), FrameError.NO_ID),
        (frame({"method": "ping"}), FrameError.NO_ID),
        (frame(named(id=7)), FrameError.NO_ID),
        (frame(named(id="")), FrameError.NO_ID),
        (frame(named(id="x" * 129)), FrameError.NO_ID),
        (frame({"id": "TM1"}), FrameError.NO_METHOD),
        (frame(named(method=None)), FrameError.NO_METHOD),
        (frame(named(method="")), FrameError.NO_METHOD),
        (frame(named(payload_size=-1)), FrameError.PAYLOAD_SIZE_INVALID),
        (frame(named(payload_size="0")), FrameError.PAYLOAD_SIZE_INVALID),
        (frame(named(payload_size=0.0)), FrameError.PAYLOAD_SIZE_INVALID),
        (frame(named(payload_size=True), b"x"), FrameError.PAYLOAD_SIZE_INVALID),
        (frame(named(payload_size=[])), FrameError.PAYLOAD_SIZE_INVALID),
        (frame(named(payload_size=1024 * 1024 + 1)), FrameError.PAYLOAD_TOO_LARGE),
        (frame(named(payload_size=2**63)), FrameError.PAYLOAD_TOO_LARGE),
        (frame(named(payload_size=1)), FrameError.PAYLOAD_CUT),
        (frame(named(payload_size=9), b"12345678"), FrameError.PAYLOAD_CUT),
        (frame(named(), b"x"), FrameError.PAYLOAD_TOO_LONG),
        (frame(named(payload_size=1), b"xy"), FrameError.PAYLOAD_TOO_LONG),
        (frame(named(payload_size=1), b"x", b"\r"), FrameError.PAYLOAD_TOO_LONG),
        (frame(named(payload_size=1), b"x", b"\r\n\r\n"), FrameError.PAYLOAD_TOO_LONG),
        (CLOSE + CLOSE, FrameError.PAYLOAD_TOO_LONG),
    ],
)
def test_an_invalid_frame_raises_a_specific_error(raw: bytes, wrong: FrameError) -> None:
    assert parse(raw) is wrong


def test_a_header_with_many_objects_is_refused_before_they_are_made() -> None:
    raw = frame(named(more=[[]] * 15_000))
    tracemalloc.start()
    try:
        assert parse(raw) is FrameError.HEADER_TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 2 * len(raw)
    finally:
        tracemalloc.stop()


def test_a_header_may_have_as_many_objects_as_its_limit() -> None:
    read = parse(frame(named(more=[[]] * 998)))
    assert isinstance(read, Frame)
    assert len(read.header["more"]) == 998


def test_the_largest_frame_is_read() -> None:
    empty = named(payload_size=limits.FRAME_PAYLOAD_BYTES_MAX, more="")
    free_bytes = limits.FRAME_HEADER_BYTES_MAX - len(json.dumps(empty))
    payload = b"x" * limits.FRAME_PAYLOAD_BYTES_MAX
    read = parse(frame(empty | {"more": "x" * free_bytes}, payload))
    assert isinstance(read, Frame)
    assert read.payload == payload
    too_large = frame(empty | {"more": "x" * (free_bytes + 1)}, payload)
    assert parse(too_large) is FrameError.HEADER_TOO_LARGE


def test_the_longest_id_is_read() -> None:
    read = parse(frame(named(id="ä" * limits.FRAME_ID_CHARS_MAX)))
    assert isinstance(read, Frame)


NUMBERS = st.integers(-5, 70_000).map(lambda number: b"%d" % number)
NEARLY = st.builds(
    lambda *parts: b"".join(parts),
    st.sampled_from([b"TWILSOCK V3.0 ", b"TWILSOCK V3.0", b"TWILSOCK V2.0 ", b""]),
    NUMBERS,
    st.sampled_from([b"\r\n", b"\n", b""]),
    st.binary(max_size=60),
    st.sampled_from([b"\r\n", b""]),
    st.binary(max_size=20),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["id", "method", "payload_size"])
HEADERS = st.dictionaries(NAMES | st.text(), JSON | st.integers(-2, 30), max_size=5)
FRAMES = st.builds(frame, HEADERS | st.binary(max_size=40), st.binary(max_size=40))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good frame with a few bytes changed, put in or taken out."""
    raw = bytearray(draw(st.sampled_from([CLOSE, ACKNOWLEDGED, REQUEST, ANSWER])))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(raw) - 1))
        raw[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(raw)


@given(st.binary(max_size=200) | NEARLY | FRAMES | damaged())
@example(b"TWILSOCK V3.0 2\r\n{}\r\n")
def test_any_bytes_are_a_frame_or_an_error(raw: bytes) -> None:
    read = parse(raw)
    if isinstance(read, FrameError):
        return
    assert isinstance(read, Frame)
    assert len(read.payload) == (read.header.get("payload_size") or 0)
    assert (read.header["id"], read.header["method"]) == (read.id, read.method)


# --- Writing ----------------------------------------------------------------------------

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.text(min_size=1, max_size=128)


@given(TEXTS, TEXTS, st.dictionaries(st.text(), PLAIN, max_size=4), st.binary(max_size=100))
def test_written_values_are_read_back(
    frame_id: str, method: str, more: dict[str, Any], payload: bytes
) -> None:
    header = {**more, "id": frame_id, "method": method}
    whole = {**header, "payload_size": len(payload)}
    assert parse(write(header, payload)) == Frame(frame_id, method, whole, payload)


def test_the_bytes_are_those_of_the_protocol() -> None:
    assert write(twilsock_frames.ping("TM5f7911701a564ae4ad0f4cf1aae2be60")) == (
        b'TWILSOCK V3.0 76\r\n{"method":"ping","id":"TM5f7911701a564ae4ad0f4cf1aae2be60",'
        b'"payload_size":0}\r\n'
    )
    written = write(twilsock_frames.notification("TM1", "x"), b'{"a":1}')
    assert written.endswith(b'"payload_size":7}\r\n{"a":1}\r\n')


def test_writing_leaves_the_header_as_it_was() -> None:
    header = twilsock_frames.ping("TM1")
    write(header, b"x")
    assert header == {"method": "ping", "id": "TM1"}


def test_a_recorded_response_is_encoded_identically() -> None:
    header = twilsock_frames.reply_to_request(
        "TM72277d41-8ef7-45c8-99e9-b6f4bf28ca9f",
        202,
        "Accepted",
        {"i-twilio-request-id": "RQa14bd2d164d4775d717120481028c754"},
    )
    accepted = parse(ANSWER)
    assert isinstance(accepted, Frame)
    assert parse(write(header, accepted.payload)) == accepted


def test_headers_of_each_kind() -> None:
    assert twilsock_frames.reply("TM1") == {
        "method": "reply",
        "id": "TM1",
        "status": {"code": 200, "status": "OK"},
    }
    refusal = twilsock_frames.status(401, "UNAUTHORIZED", description="why", error_code=20101)
    assert twilsock_frames.reply("TM1", refusal)["status"] == {
        "code": 401,
        "status": "UNAUTHORIZED",
        "description": "why",
        "errorCode": 20101,
    }
    assert twilsock_frames.close("TM1", refusal) == {
        "method": "close",
        "id": "TM1",
        "status": refusal,
    }
    assert twilsock_frames.notification("TM1", "twilio.sync.event", notification_ctx_id="c") == {
        "method": "notification",
        "id": "TM1",
        "notification_ctx_id": "c",
        "message_type": "twilio.sync.event",
        "payload_type": "application/json",
    }
    assert twilsock_frames.client_update("TM1", "token_about_to_expire", "soon") == {
        "method": "client_update",
        "id": "TM1",
        "client_update_type": "token_about_to_expire",
        "client_update_message": "soon",
    }
    assert twilsock_frames.reply_to_request("TM1", 204, "No Content", payload_type=None) == {
        "method": "reply",
        "id": "TM1",
        "status": {"code": 200, "status": "OK"},
        "http_status": {"code": 204, "status": "No Content"},
        "http_headers": {},
    }


def test_a_backoff_is_json_without_line_ends() -> None:
    written = twilsock_frames.backoff(500, 1000)
    assert json.loads(written) == {
        "backoff_policy": {"reconnect_min_ms": 500, "reconnect_max_ms": 1000}
    }
    assert not re.search(rb"\s", written)
    with pytest.raises(AssertionError):
        twilsock_frames.backoff(1000, 500)


@pytest.mark.parametrize(
    ("metadata", "unsupported"),
    [
        ({"sdk": "JS", "type": "conversations", "sdkv": "1.2.0"}, "conversations 1.2.0"),
        ({"sdk": "JS", "type": "conversations", "sdkv": "0.1.0"}, "conversations 0.1.0"),
        ({"sdk": "JS", "type": "chat", "sdkv": "6.0.0"}, "twilio-chat 6.0.0"),
        ({"sdk": "JS", "type": "chat", "sdkv": "6" * 99}, "twilio-chat " + "6" * 32),
        ({"sdk": "JS", "type": "conversations", "sdkv": "2.1.0"}, None),
        ({"sdk": "JS", "type": "conversations", "sdkv": "10.0.0"}, None),
        ({"sdk": "JS", "type": ["chat"], "sdkv": None}, None),
        ({"sdk": "ios", "type": "conversations", "sdkv": "1.2.0"}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_metadata_of_another_protocol_is_recognised(
    metadata: object, unsupported: str | None
) -> None:
    assert twilsock_frames.unsupported_sdk(metadata) == unsupported
