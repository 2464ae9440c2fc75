"""Client SDKs spread over three nodes behind a balancer, and the ledger with kills of nodes.

Each socket and each request goes to the next node, whoever it comes from: what one node answered
has to be true on another one a moment later.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk_runner import VERSIONS, run_of_topics
from tests.contract.test_realtime_kills import ledger
from tests.contract.test_realtime_sdk import CHECKS_MIN, TOPICS, every_method_and_event
from tests.support.cluster import BalancedCluster
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("sdk-nodes")

DRIVE_SECONDS_MAX = 280
SOCKETS_PER_NODE_MIN = 30
REQUESTS_PER_NODE_MIN = 200


def each_version() -> list[object]:
    # One of them shows what several nodes change; the others are for the gate.
    newest, *others = VERSIONS
    return [newest, *(pytest.param(version, marks=pytest.mark.gate) for version in others)]


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[BalancedCluster]:
    """Three nodes behind a balancer."""
    with BalancedCluster(shared(), tmp_path) as found:
        yield found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("version", each_version())
def test_a_program_written_for_the_sdk_works_over_nodes(
    balanced: BalancedCluster, version: str
) -> None:
    run = run_of_topics(balanced, version, TOPICS, DRIVE_SECONDS_MAX)
    assert [line["version"] for line in run.of("sdk")] == [version]
    assert {topic: run.failed(topic) for topic in TOPICS} == {topic: [] for topic in TOPICS}
    for topic in TOPICS:
        ended = [line["scene"] for line in run.checks[topic] if line["check"] == "runs to its end"]
        assert sorted(ended) == sorted({line["scene"] for line in run.checks[topic]})
        assert ended
    shares = balanced.balancer.taken()
    checks = sum(map(len, run.checks.values()))
    print(f"{version}: {checks} checks; {shares}", file=sys.stderr)
    assert checks >= CHECKS_MIN
    every_method_and_event(run, version)
    for taken in shares:
        assert taken.sockets >= SOCKETS_PER_NODE_MIN
        assert taken.requests >= REQUESTS_PER_NODE_MIN


def test_every_client_ends_with_what_rest_shows_when_nodes_die(balanced: BalancedCluster) -> None:
    ledger(balanced, balanced.kill_some, seconds=15, kills=3)


@pytest.mark.gate
@pytest.mark.timeout(400)
def test_the_same_after_a_long_time(balanced: BalancedCluster) -> None:
    ledger(balanced, balanced.kill_some, seconds=120, kills=25)
