"""The load client of the socket counts events, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import servers
from bench.realtime import client, frames
from bench.realtime.client import Sockets, SocketsError, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NONE: frozenset[int] = frozenset()
POST = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"


def _notice(number: int, kind: str) -> bytes:
    header = {
        "method": "notification",
        "id": f"TM{number:032d}",
        "message_type": kind,
        "payload_type": "application/json",
    }
    return frames.frame(header, b'{"event":{}}')


# A message makes two frames about realtime objects; the typing user's own frame is not counted.
NOTIFICATIONS = [
    _notice(1, "com.twilio.rtd.cds.list"),
    _notice(2, "com.twilio.rtd.cds.document"),
    _notice(3, "twilio.ipmsg.typing_indicator"),
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("broadcast")
    with servers.broadcaster(folder, chunks(NOTIFICATIONS)) as process:
        process.start()
        yield process.port


@pytest.fixture
def sockets(port: int, tmp_path: Path) -> Iterator[Sockets]:
    client.write_scripts(tmp_path / "scripts", [[]] * 50)
    client.write_trigger(tmp_path / "trigger", client.HTTP, [POST])
    with Sockets(port, tmp_path / "scripts", tmp_path / "trigger", NONE) as running:
        yield running


def test_every_connection_receives_every_message(sockets: Sockets) -> None:
    assert sockets.connect(10).listeners == 10
    assert sockets.connect(50).listeners == 50
    seen = sockets.fanout(4, 2)
    assert (seen.messages, seen.frames, seen.message_frames) == (4, 4 * 50 * 2, 4 * 50)
    assert seen.bytes >= 4 * 50 * sum(map(len, NOTIFICATIONS[:2]))
    assert 0 < seen.p50_us <= seen.p99_us <= seen.max_us
    assert seen.last_p50_us >= seen.p50_us
    assert seen.refusals == seen.healthy_closed == seen.stalled_closed == 0


def test_messages_are_sent_at_the_given_rate(sockets: Sockets) -> None:
    sockets.connect(20)
    seen = sockets.rate(50, 0.4)
    assert (seen.messages, seen.message_frames) == (20, 20 * 20)
    assert seen.seconds >= 0.38


def test_stalled_connections_are_not_counted(sockets: Sockets) -> None:
    sockets.connect(30, tight=10)
    assert sockets.stall(10).listeners == 20
    seen = sockets.fanout(3, 2)
    assert (seen.listeners, seen.message_frames) == (20, 3 * 20)
    assert seen.healthy_closed == 0


def test_server_that_rejects_the_socket_is_reported(tmp_path: Path) -> None:
    client.write_scripts(tmp_path / "scripts", [[]])
    client.write_trigger(tmp_path / "trigger", client.HTTP, [POST])
    with servers.constant(tmp_path, "constant", b"{}") as process:
        process.start()
        files = (tmp_path / "scripts", tmp_path / "trigger")
        refused = pytest.raises(SocketsError, match="did not upgrade")
        with Sockets(process.port, *files, NONE) as running, refused:
            running.connect(1)


def test_decoded_frame_equals_the_original() -> None:
    header, payload = frames.parsed(frames.request(7, "POST", "/v1/x", {"a": "ü"}, {"P": "1"}))
    assert header["http_request"]["params"] == {"P": "1"}
    assert payload == b'{"a":"\\u00fc"}'
    assert header["payload_size"] == len(payload)
