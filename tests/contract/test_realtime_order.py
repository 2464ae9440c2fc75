"""Programs that send and read at once, with each supported version of the client SDK.

The SDKs handle pushed frames one timer tick after their arrival, and replies at once. A program
that awaits `sendMessage()` finds the message at the end of the list, and one that reads the list
while its message is in flight also gets `messageAdded` (docs/explanation/realtime.md).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk_runner import EVERY_VERSION, ProgramRun, settings_for
from tests.support.cluster import BalancedCluster
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster import Installation
    from tests.support.server import Server

COUNT, FIRSTS = 20, 8
COUNT_OF_THE_GATE, FIRSTS_OF_THE_GATE = 200, 50
SECONDS_MAX = 380


def nothing_is_lost(server: Installation, where: str, count: int, firsts: int) -> None:
    settings = settings_for(server, next(iter(EVERY_VERSION)))
    settings |= {"VERSIONS": " ".join(EVERY_VERSION.values()), "NODE_NO_WARNINGS": "1"}
    settings |= {"COUNT": str(count), "FIRSTS": str(firsts)}
    run = ProgramRun(["order.mjs", where], settings, SECONDS_MAX)
    print(run.of("took"), file=sys.stderr)
    assert run.failed(where) == []
    assert [line["version"] for line in run.of("took")] == list(EVERY_VERSION)
    done = [line["scene"] for line in run.checks[where] if line["check"] == "runs to its end"]
    assert done == list(EVERY_VERSION.values())


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[BalancedCluster]:
    """Three nodes behind a balancer."""
    with BalancedCluster(shared(), tmp_path) as found:
        yield found


@pytest.mark.xdist_group("sdk-order-node")
def test_nothing_is_lost_in_node(server: Server) -> None:
    nothing_is_lost(server, "node", COUNT, FIRSTS)


@pytest.mark.xdist_group("sdk-order-browser")
def test_nothing_is_lost_in_a_browser(server: Server) -> None:
    nothing_is_lost(server, "browser", COUNT, FIRSTS)


@pytest.mark.gate
@pytest.mark.timeout(400)
@pytest.mark.xdist_group("sdk-order-node")
def test_nothing_is_lost_in_node_in_many_attempts(server: Server) -> None:
    nothing_is_lost(server, "node", COUNT_OF_THE_GATE, FIRSTS_OF_THE_GATE)


@pytest.mark.gate
@pytest.mark.timeout(400)
@pytest.mark.xdist_group("sdk-order-browser")
def test_nothing_is_lost_in_a_browser_in_many_attempts(server: Server) -> None:
    nothing_is_lost(server, "browser", COUNT_OF_THE_GATE, FIRSTS_OF_THE_GATE)


@pytest.mark.gate
@pytest.mark.timeout(400)
@pytest.mark.xdist_group("sdk-nodes")
def test_nothing_is_lost_over_nodes(balanced: BalancedCluster) -> None:
    nothing_is_lost(balanced, "node", COUNT_OF_THE_GATE, FIRSTS_OF_THE_GATE)
