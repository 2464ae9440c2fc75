"""The harness reports each planted fault, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import RawSocket, WebSocketClosedError, flood, ws_frame
from tests.attacks.harness import Bounds, healthz, messages, others_unaffected, request
from tests.support.client import send_bytes
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULTS = str(Path(__file__).with_name("launch_with_planted_faults.py"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(program=(FAULTS,)) as running:
        yield running


def test_slow_bytes_of_a_head_report_no_fault(server: Server, control: Server) -> None:
    with others_unaffected(server, control, healthz, messages) as monitor:
        for _ in range(3):
            flood(server, head=b"GET /healthz HTTP/1.1\r\nX: ", repeated=b"x", seconds=0.2)
    assert monitor.measured["messages"].statuses.keys() == {"200", "201"}
    assert monitor.measured["healthz"].statuses["200"] > 50


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        ("stall", "p99 of healthz: [23]"),
        ("memory", r"grew by 1\d\d MiB[^$]*still more memory: 1\d\d MiB"),
        ("refuse", "requests of healthz failed: .*500"),
    ],
    ids=["stall", "memory", "refuse"],
)
def test_each_planted_fault_is_reported(
    server: Server, control: Server, fault: str, finding: str
) -> None:
    with (
        pytest.raises(AssertionError, match=finding),
        others_unaffected(server, control, bounds=Bounds(recovery_seconds=0.2, p99_seconds=0.05)),
    ):
        send_bytes(server.base_url, request("GET", f"/fault/{fault}"))


def test_raw_socket_reports_the_close_code(server: Server) -> None:
    with RawSocket(server) as raw:
        raw.send(ws_frame(b"no frame of the protocol"))
        with pytest.raises(WebSocketClosedError) as closed:
            list(raw.frames())
        assert closed.value.code is not None
