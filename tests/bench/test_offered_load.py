"""The open-loop load client follows its schedule, and measures from the due time of a request."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from bench.load import client, offered
from tests.bench.echo_server import Answering

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = b"GET /one HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
OTHER = b"POST /two HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nabc"
RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
RATE = 400.0
SECONDS = 0.5
COUNT = round(RATE * SECONDS)
STALL_SECONDS = 0.2


def answer(status: int) -> bytes:
    return b"HTTP/1.1 %d Some\r\nContent-Length: 0\r\n\r\n" % status


def offer(server: Answering, **changes: object) -> offered.Offer:
    usual = offered.Offer(server.port, RATE, SECONDS, connections=8, schedule="even")
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def test_evenly_spaced_requests_are_sent_in_order_and_accepted() -> None:
    with Answering([RIGHT]) as server:
        seen = offered.run_requests(offer(server), [REQUEST, OTHER])

    assert seen.due == seen.sent == seen.accepted.count == pytest.approx(COUNT, abs=1)
    assert seen.statuses == {"200": seen.due}
    assert (seen.unsent, seen.timeouts, seen.cut_off, seen.connect_errors) == (0, 0, 0, 0)
    assert seen.refused.count == 0
    assert server.seen.count(REQUEST) == pytest.approx(server.seen.count(OTHER), abs=1)
    assert 0 < seen.accepted.p50_us <= seen.accepted.p99_us <= seen.accepted.max_us * 1.01
    assert seen.bytes == seen.due * len(RIGHT)
    assert seen.seconds >= SECONDS * 0.99


def test_poisson_arrivals_have_the_rate_and_follow_from_the_seed() -> None:
    with Answering([RIGHT]) as server:
        one, again, other = (
            offered.run_requests(offer(server, schedule="poisson", seed=seed), [REQUEST])
            for seed in (5, 5, 77)
        )

    assert one.due == pytest.approx(COUNT, rel=0.4)
    schedules = [[window.due for window in seen.windows] for seen in (one, again, other)]
    assert schedules[0] == schedules[1] != schedules[2]


def test_stall_shows_in_latency_of_requests_due_during_it() -> None:
    with Answering([RIGHT], stall=(50, STALL_SECONDS)) as server:
        seen = offered.run_requests(offer(server, connections=2), [REQUEST])
    with Answering([RIGHT], stall=(50, STALL_SECONDS)) as server:
        load = client.Load(server.port, connections=2, seconds=10.0, requests_max=COUNT)
        closed = client.run_requests(load, [REQUEST])

    # The closed loop sends nothing during the stall, and so measures two slow responses of 200.
    # In the open loop more than a hundredth of the requests are late by most of the stall,
    # including those that wait for one of two connections.
    assert closed.mean_us < STALL_SECONDS * 1e6 * 0.1
    assert seen.due == seen.accepted.count
    assert seen.accepted.p99_us > STALL_SECONDS * 1e6 * 0.9
    late = seen.accepted.mean_us * seen.due / 1e6
    assert late > 0.5 * RATE * STALL_SECONDS * STALL_SECONDS / 2
    assert max(window.worst_us for window in seen.windows) == pytest.approx(
        seen.accepted.max_us, abs=1
    )


def test_rejected_and_accepted_requests_are_counted_separately() -> None:
    kinds = {200: "accepted", 201: "accepted", 429: "refused", 503: "refused", 404: "", 500: ""}
    for status, kind in kinds.items():
        with Answering([answer(status)]) as server:
            seen = offered.run_requests(offer(server, seconds=0.05), [REQUEST])

        assert seen.statuses == {str(status): seen.due}
        assert seen.accepted.count == (seen.due if kind == "accepted" else 0)
        assert seen.refused.count == (seen.due if kind == "refused" else 0)
        assert sum(window.other for window in seen.windows) == (0 if kind else seen.due)


def test_request_without_free_connection_is_unsent_after_its_wait() -> None:
    with Answering([RIGHT], stall=(1, 0.4)) as server:
        seen = offered.run_requests(offer(server, connections=1, wait_ms=50), [REQUEST])

    assert seen.unsent >= RATE * 0.2
    assert seen.sent + seen.unsent == seen.due
    assert seen.sent == seen.accepted.count


def test_late_response_is_a_timeout_and_the_connection_is_replaced() -> None:
    with Answering([RIGHT], stall=(10, 0.3)) as server:
        seen = offered.run_requests(offer(server, connections=4, timeout_ms=100), [REQUEST])

    assert seen.timeouts >= 4
    # However late the client itself runs: a response after the timeout is not accepted.
    assert seen.accepted.max_us <= 100_000
    assert seen.accepted.count > 0
    assert seen.accepted.count + seen.timeouts == seen.sent


def test_truncated_response_is_counted_separately() -> None:
    with Answering([RIGHT[:-1]], closes=True) as server:
        seen = offered.run_requests(offer(server, seconds=0.1), [REQUEST])

    assert seen.cut_off == seen.sent > 0
    assert seen.statuses == {}


def test_server_may_close_after_an_announced_last_response() -> None:
    last = RIGHT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with Answering([last], closes=True) as server:
        seen = offered.run_requests(offer(server, seconds=0.1), [REQUEST])

    assert seen.accepted.count == seen.due > 0
    assert seen.cut_off == 0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"host": "192.0.2.1"}, "loopback"),
        ({"host": "localhost"}, "numeric"),
        ({"seconds": 61.0}, "60 seconds"),
        ({"rate": 0.0}, "500,000"),
        ({"rate": 400_000.0, "seconds": 60.0}, "10,000,000"),
        ({"connections": 4097}, "4096 connections"),
        ({"schedule": "bursts"}, "even or poisson"),
        ({"timeout_ms": 30_001}, "30,000"),
        ({"wait_ms": 30_001}, "30,000"),
        ({"port": 9}, "no server listens"),
    ],
)
def test_unbounded_offer_is_rejected(
    changes: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"port": 9, "connections": 1, "seconds": 0.1, "rate": 10.0}
    requests = tmp_path / "requests"
    client.write_requests([REQUEST], requests)

    with pytest.raises(client.LoadError, match=complaint):
        offered.run(offered.Offer(**(settings | changes)), requests)  # type: ignore[arg-type]
