"""Client SDKs spread over three nodes behind a balancer, and the ledger with kills of nodes.

Each socket and each request goes to the next node, whoever it comes from: what one node answered
has to be true on another one a moment later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.realtime_run import VERSIONS, run_of_topics
from tests.contract.test_realtime_ledger import ledger
from tests.contract.test_realtime_sdk import CHECKS_MIN, EVENTS, METHODS, TOPICS, names
from tests.support.nodes import Balanced
from tests.support.postgres import shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.contract.realtime_run import Run

pytestmark = pytest.mark.xdist_group("sdk-nodes")

DRIVE_SECONDS_MAX = 280
TOPICS_OF_CHANGES = ("conversations", "participants", "messages", "horizon", "mixed", "reconnect")
SOCKETS_PER_NODE_MIN = 10
REQUESTS_PER_NODE_MIN = 100


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    """Three nodes behind a balancer."""
    with Balanced(shared(), tmp_path) as found:
        yield found


def run_over_nodes(balanced: Balanced, version: str, topics: Sequence[str]) -> Run:
    """A run in which nothing fails, and every node has a share."""
    run = run_of_topics(balanced, version, topics, DRIVE_SECONDS_MAX)
    assert [line["version"] for line in run.of("sdk")] == [version]
    assert {topic: run.failed(topic) for topic in topics} == {topic: [] for topic in topics}
    for topic in topics:
        ended = [line["scene"] for line in run.checks[topic] if line["check"] == "runs to its end"]
        assert sorted(ended) == sorted({line["scene"] for line in run.checks[topic]})
        assert ended
    for taken in balanced.balancer.taken():
        assert taken.sockets >= SOCKETS_PER_NODE_MIN
        assert taken.requests >= REQUESTS_PER_NODE_MIN
    return run


def test_changes_are_heard_by_clients_on_other_nodes(balanced: Balanced) -> None:
    run_over_nodes(balanced, "3.0.1", TOPICS_OF_CHANGES)


@pytest.mark.gate
@pytest.mark.timeout(400)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_program_written_for_the_sdk_works_over_nodes(balanced: Balanced, version: str) -> None:
    run = run_over_nodes(balanced, version, TOPICS)
    assert sum(map(len, run.checks.values())) >= CHECKS_MIN
    (use,) = run.of("use")
    known = names(METHODS)
    if version == "2.4.0":
        known -= {"Conversation.getMessageRecipients", "Message.getMessageRecipients"}
    assert known - set(use["methods"]) == set()
    assert names(EVENTS) - set(use["events"]) == set()


def test_every_client_ends_with_what_rest_shows_when_nodes_die(balanced: Balanced) -> None:
    ledger(balanced, balanced.kill_some, seconds=15, kills=3)


@pytest.mark.gate
@pytest.mark.timeout(400)
def test_the_same_after_a_long_time(balanced: Balanced) -> None:
    ledger(balanced, balanced.kill_some, seconds=120, kills=25)
