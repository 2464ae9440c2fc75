"""Floods of WebSocket frames: control frames and fragments, before init and after it."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest
from websockets.frames import Frame, Opcode

from tests.attacks.attack_traffic import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    RawSocket,
    WebSocketClosedError,
    ws_frame,
)
from tests.attacks.harness import healthz, messages, others_unaffected
from tests.support.server import Server
from tests.support.twilsock_client import make_token, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.twilsock_client import ReceivedFrame

pytestmark = pytest.mark.embedded  # Independent of the database.

PINGS = ws_frame(b"", PING) * 10_000
PARTS = ws_frame(b"", CONTINUATION, is_final=False) * 10_000
FLOOD_BYTES = 4 << 20
IDLE_SOCKETS = 48
LARGE_FRAMES = 5
TOO_MANY_MESSAGES = (308, 51128)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def reason(raw: RawSocket) -> tuple[int, int | None]:
    """Return close code and error code of the frame with which the server closes."""
    found: list[ReceivedFrame] = []
    with suppress(WebSocketClosedError):
        found.extend(frame for frame in raw.frames() if frame.method == "close")
    assert found, "closed without a reason"
    status = found[0].header["status"]
    return status["code"], status.get("errorCode")


def masked_frame(payload: bytes) -> bytes:
    """Return one binary frame with a nonzero mask."""
    return Frame(Opcode.BINARY, payload).serialize(mask=True)


def send_flood(raw: RawSocket, repeated: bytes, size: int = FLOOD_BYTES) -> None:
    """Send this many bytes, or fewer if the server stops reading."""
    raw.socket.settimeout(1.0)
    with suppress(OSError):
        for _ in range(size // len(repeated)):
            raw.send(repeated)
    raw.socket.settimeout(10.0)


@pytest.mark.kind("turns", by="anybody")
@pytest.mark.parametrize("flooded", [PINGS, PARTS], ids=["pings", "parts"])
def test_flood_before_init_is_closed_with_its_reason(
    server: Server, control: Server, flooded: bytes
) -> None:
    with others_unaffected(server, control):
        for _ in range(2):
            with RawSocket(server) as raw:
                raw.send(ws_frame(b"T", BINARY, is_final=False) if flooded is PARTS else b"")
                send_flood(raw, flooded)
                assert reason(raw) == TOO_MANY_MESSAGES


@pytest.mark.kind("turns", by="a user")
@pytest.mark.parametrize("flooded", [PINGS, PARTS], ids=["pings", "parts"])
def test_flood_after_init_is_closed_with_its_reason(
    server: Server, control: Server, flooded: bytes
) -> None:
    token = make_token(server, "mallory")
    with others_unaffected(server, control, healthz, messages), RawSocket(server) as raw:
        raw.init(token)
        raw.send(ws_frame(b"T", BINARY, is_final=False) if flooded is PARTS else b"")
        send_flood(raw, flooded)
        assert reason(raw) == TOO_MANY_MESSAGES


@pytest.mark.kind("turns", by="a user")
def test_flood_of_unsolicited_acknowledgements_is_closed(server: Server, control: Server) -> None:
    acknowledgement = ws_frame(written({"method": "reply", "id": "TM0"})) * 1000
    token = make_token(server, "mallory")
    with others_unaffected(server, control), RawSocket(server) as raw:
        raw.init(token)
        send_flood(raw, acknowledgement, 40_000 * len(acknowledgement) // 1000)
        assert reason(raw) == TOO_MANY_MESSAGES


@pytest.mark.kind("turns", "bytes", by="anybody")
def test_frames_before_init_are_counted_in_any_segment(server: Server) -> None:
    with RawSocket(server) as raw:
        for _ in range(100):
            with suppress(OSError):
                raw.send(ws_frame(b"", PING))
        assert reason(raw) == TOO_MANY_MESSAGES


@pytest.mark.kind("bytes", by="anybody")
def test_endless_init_is_closed_at_its_limit(server: Server) -> None:
    with RawSocket(server) as raw:
        raw.send(ws_frame(b"x" * 200_000))
        assert reason(raw) == TOO_MANY_MESSAGES


@pytest.mark.kind("bytes", by="a user")
def test_idle_sockets_release_their_last_frame(server: Server, control: Server) -> None:
    acknowledgement = ws_frame(written({"method": "reply", "id": "TM0"}, bytes(1_000_000)))
    with ExitStack() as stack:
        raws = [stack.enter_context(RawSocket(server)) for _ in range(IDLE_SOCKETS)]
        with others_unaffected(server, control):
            for number, raw in enumerate(raws):
                raw.init(make_token(server, f"idle-{number}"))
                raw.send(acknowledgement)
        for raw in raws:
            raw.send(ws_frame(b"", PING))
            assert raw.receive() == (PONG, b"")


@pytest.mark.kind("turns", "shares", by="many users")
@pytest.mark.parametrize("users", [1, 4])
def test_large_frames_on_several_sockets_delay_no_other(
    server: Server, control: Server, users: int
) -> None:
    """All within the limits of a client: no socket is closed."""
    acknowledgement = masked_frame(written({"method": "reply", "id": "TM0"}, bytes(900_000)))
    with ExitStack() as stack:
        raws = [stack.enter_context(RawSocket(server)) for _ in range(3 * users)]
        for number, raw in enumerate(raws):
            raw.init(make_token(server, f"large-{users}-{number % users}"))
        with others_unaffected(server, control, healthz, messages):
            for _ in range(LARGE_FRAMES):
                for raw in raws:
                    raw.send(acknowledgement)
        for raw in raws:
            raw.send(ws_frame(b"", PING))
            assert raw.receive() == (PONG, b"")


@pytest.mark.kind("bytes", "shares", by="a user")
def test_user_above_the_limit_of_all_its_sockets_is_closed(server: Server) -> None:
    large = ws_frame(written({"method": "reply", "id": "TM0"}, bytes(1_000_000)))
    with ExitStack() as stack:
        raws = [stack.enter_context(RawSocket(server)) for _ in range(8)]
        other = stack.enter_context(RawSocket(server))
        other.init(make_token(server, "frugal"))
        for raw in raws:
            raw.init(make_token(server, "lavish"))
        for raw in raws:
            send_flood(raw, large, 6 * len(large))
        reasons = []
        for raw in raws:
            with suppress(AssertionError, TimeoutError):
                raw.socket.settimeout(0.5)
                reasons.append(reason(raw))
        assert set(reasons) == {TOO_MANY_MESSAGES}
        other.send(ws_frame(b"", PING))
        assert other.receive() == (PONG, b"")
