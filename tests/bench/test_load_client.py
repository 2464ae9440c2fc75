"""The load client of the benchmark counts valid responses, and counts others as errors."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from bench.load import client
from tests.bench.echo_server import Answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUEST = b"GET /one HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
OTHER = b"POST /two HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nabc"
RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
LOADED_SECONDS = 0.3


@pytest.fixture
def right_server() -> Iterator[Answering]:
    with Answering([RIGHT]) as server:
        yield server


def load(server: Answering, **changes: float) -> client.Load:
    connections = int(changes.get("connections", 4))
    return client.Load(
        port=server.port,
        connections=connections,
        seconds=changes.get("seconds", LOADED_SECONDS),
        requests_max=int(changes.get("requests_max", 0)),
        status=int(changes.get("status", 200)),
    )


def test_valid_responses_are_counted_and_timed(right_server: Answering) -> None:
    seen = client.run_requests(load(right_server), [REQUEST])

    assert seen.errors == 0
    assert seen.requests == seen.status["2xx"] == len(right_server.seen) > 50
    assert seen.bytes == seen.requests * len(RIGHT)
    assert 0 < seen.p50_us <= seen.p99_us <= seen.max_us * 1.01
    assert LOADED_SECONDS <= seen.seconds < LOADED_SECONDS + 1
    assert seen.rate == pytest.approx(seen.requests / seen.seconds, rel=0.01)


def test_prepared_requests_are_sent_in_order_and_unchanged(right_server: Answering) -> None:
    seen = client.run_requests(
        load(right_server, connections=1, requests_max=5, seconds=10), [REQUEST, OTHER]
    )

    assert seen.requests == 5
    assert right_server.seen == [REQUEST, OTHER, REQUEST, OTHER, REQUEST]


def test_run_can_continue_after_the_last_one(right_server: Answering) -> None:
    going_on = client.Load(
        port=right_server.port, connections=1, seconds=10, requests_max=3, first=5
    )

    client.run_requests(going_on, [REQUEST, OTHER])

    assert right_server.seen == [OTHER, REQUEST, OTHER]


def test_response_in_chunks_counts_once() -> None:
    pieces = [RIGHT[:4], RIGHT[4:30], RIGHT[30:-2], RIGHT[-2:]]
    with Answering(pieces) as server:
        seen = client.run_requests(load(server), [REQUEST])

    assert seen.errors == 0
    assert seen.status["2xx"] == seen.requests > 10


def test_server_may_close_after_an_announced_last_response() -> None:
    last = RIGHT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with Answering([last], closes=True) as server:
        seen = client.run_requests(load(server), [REQUEST])

    assert seen.errors == 0
    assert seen.requests > 10


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", id="another status"),
        pytest.param(b"HTTP/1.1 201 Yes\r\nContent-Length: 0\r\n\r\n", id="another success"),
        pytest.param(b"SMTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", id="no number"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n", id="no such length"),
        pytest.param(RIGHT + b"more", id="more than announced"),
    ],
)
def test_wrong_response_is_an_error_and_no_latency(wrong: bytes) -> None:
    with Answering([wrong]) as server:
        seen = client.run_requests(load(server, requests_max=40), [REQUEST])

    assert seen.errors >= 40
    assert seen.p50_us == 0


def test_truncated_response_is_an_error() -> None:
    with Answering([RIGHT[:-1]], closes=True) as server:
        seen = client.run_requests(load(server, requests_max=40), [REQUEST])

    assert seen.errors == 40
    assert seen.requests == 0


def test_statuses_are_counted_by_class() -> None:
    with Answering([b"HTTP/1.1 429 Wait\r\nContent-Length: 0\r\n\r\n"]) as server:
        seen = client.run_requests(load(server, requests_max=10), [REQUEST])

    assert seen.status == {"1xx": 0, "2xx": 0, "3xx": 0, "4xx": 10, "5xx": 0}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"host": "192.0.2.1"}, "loopback"),
        ({"host": "localhost"}, "numeric"),
        ({"seconds": 121.0}, "120 seconds"),
        ({"seconds": 0.0}, "120 seconds"),
        ({"connections": 1025}, "1024 connections"),
        ({"requests_max": 100_000_001}, "100,000,000"),
        ({"port": 0}, "port"),
    ],
)
def test_unbounded_load_is_rejected(
    changes: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"port": 9, "connections": 1, "seconds": 0.1}
    requests = tmp_path / "requests"
    client.write_requests([REQUEST], requests)

    with pytest.raises(client.LoadError, match=complaint):
        client.run(client.Load(**(settings | changes)), requests)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", struct.pack("<I", 9) + b"short", b"\0\0\0\0\0"])
def test_invalid_request_file_is_rejected(content: bytes, tmp_path: Path) -> None:
    requests = tmp_path / "requests"
    requests.write_bytes(content)

    with pytest.raises(client.LoadError, match="requests"):
        client.run(client.Load(port=9, connections=1, seconds=0.1), requests)
