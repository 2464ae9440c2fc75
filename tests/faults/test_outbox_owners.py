"""Two nodes, killed and paused while messages flow: one at a time sends, and no message is lost."""

from __future__ import annotations

import os
import random
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.checkers import launch_with_submission_headers, lease_checker
from tests.checkers.channel_checker import (
    channel_violations,
    read_channels,
    sent_after_term,
    sent_again,
    unfinished,
)
from tests.checkers.channel_provider import RecordingProvider
from tests.checkers.channel_traffic import LANES, OWN, Traffic, configure
from tests.support.cluster import Cluster
from tests.support.polling import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres_server import Postgres
    from tests.support.server import Server

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("nodes")]

LAUNCHER = str(launch_with_submission_headers.__file__)
LEASE = "carriers"
FLOW_MESSAGES = 40
TAKEOVER_SECONDS_MAX = 15.0
SETTLE_SECONDS_MAX = 60.0


class OwnerChanges:
    """Two nodes with an HTTP provider, and disturbances of the node that sends."""

    def __init__(self, nodes: Cluster, provider: RecordingProvider, traffic: Traffic) -> None:
        self.nodes = nodes
        self.provider = provider
        self.traffic = traffic

    def flow(self) -> None:
        """Wait until some messages were sent."""
        before = len(self.provider.arrivals)
        eventually(
            lambda: len(self.provider.arrivals),
            lambda count: count > before + FLOW_MESSAGES,
            seconds=30,
        )

    def owner(self) -> Server:
        """Return the node that sends."""
        pid = int(self.provider.arrivals[-1].term.partition("-")[0])
        (found,) = [each for each in self.nodes.servers if each.pid == pid]
        return found

    def wait_for_next_term(self, known: lease_checker.LeaseTerms) -> None:
        """Wait until the other node has the lease."""
        eventually(
            lambda: lease_checker.lease_terms(self.nodes),
            lambda now: now.keys() > known.keys(),
            seconds=TAKEOVER_SECONDS_MAX,
        )

    def kill_owner(self) -> None:
        """Kill the owner; start it again once the other node has taken over."""
        known, owner = lease_checker.lease_terms(self.nodes), self.owner()
        owner.kill()
        self.wait_for_next_term(known)
        owner.start()

    def pause_owner(self) -> None:
        """Suspend the owner until the other node has sent in its place; then resume it."""
        known, owner = lease_checker.lease_terms(self.nodes), self.owner()
        os.kill(owner.pid, signal.SIGSTOP)
        try:
            self.wait_for_next_term(known)
            self.flow()
        finally:
            os.kill(owner.pid, signal.SIGCONT)
        eventually(owner.is_healthy, bool)


def changed_owners(
    postgres: Postgres, folder: Path, actions: list[str]
) -> tuple[list[str], int, lease_checker.LeaseTerms]:
    """Return the violations, the number of repeated submissions, and the lease terms."""
    provider = RecordingProvider(lambda: [each.port for each in nodes.servers])
    path = folder / "carriers.toml"
    env = {"PARLOUR_CARRIERS": str(path), "PARLOUR_PUBLIC_URL": "http://127.0.0.1"}
    nodes = Cluster(postgres, folder, 2, env, [LAUNCHER])
    first = nodes.servers[0]
    path.write_text(provider.carriers_file(OWN, first.account_sid))
    with provider, nodes:
        lease_checker.watch(postgres, nodes, LEASE)
        traffic = Traffic(nodes.servers, provider, configure(first))
        changes = OwnerChanges(nodes, provider, traffic)
        traffic.start()
        try:
            changes.flow()
            for action in actions:
                getattr(changes, action)()
                changes.flow()
        finally:
            traffic.stop()
        provider.report_last()
        eventually(lambda: unfinished(first), lambda count: not count, seconds=SETTLE_SECONDS_MAX)
        terms = lease_checker.lease_terms(nodes)
        arrivals = list(provider.arrivals)
        found = channel_violations(
            traffic.acknowledged, traffic.posted, read_channels(first), arrivals
        )
    repeated = sent_again(arrivals)
    print(
        f"{len(actions)} disturbances, {len(terms)} terms: {sum(traffic.acknowledged.values())}"
        f" inbound and {len(traffic.posted)} posted messages acknowledged, {len(arrivals)}"
        f" submissions, {repeated} of them repeated",
        file=sys.stderr,
    )
    return [*found, *sent_after_term(terms, arrivals)], repeated, terms


def check(postgres: Postgres, folder: Path, actions: list[str]) -> None:
    found, repeated, terms = changed_owners(postgres, folder, actions)
    assert found == []
    # Only submissions in flight when their owner failed are sent again.
    assert repeated <= (len(terms) - 1) * LANES
    assert len(terms) > len(actions)


@pytest.mark.gate
def test_outbox_of_a_killed_and_of_a_paused_owner_is_sent_by_the_other_node(
    postgres: Postgres, tmp_path: Path
) -> None:
    check(postgres, tmp_path, ["kill_owner", "pause_owner"])


@pytest.mark.gate
def test_many_changes_of_the_owner_lose_no_message(postgres: Postgres, tmp_path: Path) -> None:
    actions = ["kill_owner", "pause_owner"] * 8
    random.shuffle(actions)
    check(postgres, tmp_path, actions)
