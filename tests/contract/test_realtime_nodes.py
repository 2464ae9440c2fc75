"""Client SDKs spread over three nodes behind a balancer, also with kills of nodes.

The balancer sends each socket and each request to the next node, regardless of the client: a
response of one node has to be true on another one a moment later.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk_runner import VERSIONS, run_of_topics
from tests.contract.test_realtime_kills import run_with_kills
from tests.contract.test_realtime_sdk import CHECKS_MIN, TOPICS, every_method_and_event
from tests.support.cluster import BalancedCluster
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("sdk-nodes")

DRIVE_SECONDS_MAX = 280
SOCKETS_PER_NODE_MIN = 30
REQUESTS_PER_NODE_MIN = {False: 100, True: 200}
"""By whether all topics run."""
LONG_TOPICS = {"permissions", "paging"}
"""They depend least on the node, and take as long as all the others together: for the gate."""


def each_run() -> list[object]:
    # One version covers changes on several nodes; the others are for the gate.
    short = tuple(topic for topic in TOPICS if topic not in LONG_TOPICS)
    return [
        pytest.param(next(iter(VERSIONS)), short, id="short"),
        *(pytest.param(each, TOPICS, marks=pytest.mark.gate, id=each) for each in VERSIONS),
    ]


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[BalancedCluster]:
    """Three nodes behind a balancer."""
    with BalancedCluster(shared(), tmp_path) as found:
        yield found


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("version", "topics"), each_run())
def test_a_program_written_for_the_sdk_works_over_nodes(
    balanced: BalancedCluster, version: str, topics: tuple[str, ...]
) -> None:
    run = run_of_topics(balanced, version, topics, DRIVE_SECONDS_MAX)
    assert [line["version"] for line in run.of("sdk")] == [version]
    assert {topic: run.failed(topic) for topic in topics} == {topic: [] for topic in topics}
    for topic in topics:
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
        assert taken.requests >= REQUESTS_PER_NODE_MIN[topics == TOPICS]


def test_every_client_converges_to_the_state_of_rest_after_kills(balanced: BalancedCluster) -> None:
    run_with_kills(balanced, balanced.kill_some, seconds=8, kills=2)


@pytest.mark.gate
@pytest.mark.timeout(400)
def test_every_client_converges_after_a_long_run(balanced: BalancedCluster) -> None:
    run_with_kills(balanced, balanced.kill_some, seconds=120, kills=25)
