"""A socket has a limited time for its init, regardless of other frames."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import BINARY, PING, RawSocket, WebSocketClosedError, ws_frame
from tests.support.polling import readable
from tests.support.server import Server
from tests.support.twilsock_client import (
    ReceivedFrame,
    Socket,
    init_header,
    make_token,
    parsed,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.embedded  # The init does not depend on the database.

LAUNCHER = str(Path(__file__).with_name("launch_with_short_init.py"))
INIT_SECONDS = 2.0
PAUSE_SECONDS = 0.1
DEADLINE_SECONDS = 30.0


@pytest.fixture(scope="module")
def hasty() -> Iterator[Server]:
    """A server with the short timeout."""
    with Server(program=[LAUNCHER]) as running:
        yield running


def init_bytes() -> Iterable[bytes]:
    """Yield an init that never completes, byte by byte."""
    header = init_header("x" * 4096)
    frame = ws_frame(written({"id": "TM1", **header}))
    return (frame[at : at + 1] for at in range(len(frame)))


SENT = {
    "nothing": lambda: itertools.repeat(b""),
    "a byte of init": init_bytes,
    "a ping": lambda: itertools.repeat(ws_frame(b"", opcode=PING)),
    "a frame that needs no init": lambda: itertools.repeat(
        ws_frame(written({"id": "TM1", "method": "put_notification_ctx"}))
    ),
}


def last_frame(raw: RawSocket, pieces: Iterable[bytes]) -> ReceivedFrame:
    """Return the frame with which the server closes, while chunks are sent periodically."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    for piece in pieces:
        if piece:
            raw.send(piece)
        while readable([raw.socket], PAUSE_SECONDS):
            opcode, payload = raw.receive()  # One at a time: a pong does not extend the timeout.
            if opcode == BINARY and (frame := parsed(payload)).method == "close":
                return frame
        assert time.monotonic() < deadline, "the socket is still open"
    raise AssertionError("not closed before all was sent")


@pytest.mark.parametrize("sent", SENT)
def test_a_socket_without_init_is_closed_after_the_limit(hasty: Server, sent: str) -> None:
    token = make_token(hasty, "alice")
    with Socket.to(hasty) as known:
        assert known.init(token).header["status"]["code"] == 200
        begin = time.monotonic()
        with RawSocket(hasty) as raw:
            status = last_frame(raw, SENT[sent]()).header["status"]
            assert (status["code"], status["status"]) == (408, "REQUEST_TIMEOUT")
            assert status["errorCode"] == 51005
            # A timer may fire slightly early, by the length of one turn of the event loop.
            assert time.monotonic() - begin > 0.9 * INIT_SECONDS
            with pytest.raises(WebSocketClosedError):
                list(raw.frames())
        # A client whose init was accepted exceeds the timeout, and is still connected.
        assert known.connection.ping().wait(DEADLINE_SECONDS)
