"""Three nodes, killed and paused during deliveries: no event is sent by two owners."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.checkers import lease_checker
from tests.checkers.delivery_checker import committed
from tests.checkers.webhook_receiver import WebhookReceiver
from tests.crash.webhook_kill_run import Writers
from tests.faults.test_nodes import IN_FLIGHT_MAX, TAKEOVER_SECONDS_MAX, conversations, nothing_lost
from tests.support.cluster import BalancedCluster
from tests.support.polling import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres_server import Postgres
    from tests.support.server import Server

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("nodes")]

LAUNCHER = lease_checker.__file__.replace("lease_checker.py", "launch_with_sender_headers.py")
EVENTS_PER_SECOND = 60
ANSWER_MS = 60
"""Long enough that requests are in flight at every disturbance of their owner."""
FLOW_SECONDS = 0.7
PAUSED_TAKEOVER_SECONDS_MAX = 10.0
"""After a timeout of five seconds the database rolls back the transaction of a paused node."""
SHORT_PAUSE_SECONDS_MAX = 2.5
REFUSALS = (429, 503)
"""The response of a paused node to requests that waited too long."""


class Disturbed:
    """Three nodes that deliver to a webhook receiver, and disturbances of the lease owner."""

    def __init__(self, balanced: BalancedCluster, receiver: WebhookReceiver) -> None:
        self.balanced = balanced
        self.receiver = receiver
        self.disturbances = 0

    def flow(self) -> None:
        """Let the owner send for some seconds."""
        before = self.received()
        eventually(self.received, lambda count: count > before + 20, seconds=20)
        time.sleep(FLOW_SECONDS)

    def received(self) -> int:
        """Return the number of requests received so far."""
        return self.receiver.record.read_bytes().count(b"\n")

    def owner(self) -> Server:
        """Return the node that sends."""
        name = lease_checker.sender(self.receiver.lines()[-1])
        (found,) = [each for each in self.balanced.servers if each.data_dir.name == name]
        return found

    def wait_for_next_term(
        self, known: lease_checker.LeaseTerms, seconds: float = TAKEOVER_SECONDS_MAX
    ) -> None:
        """Wait until another node has taken over."""
        eventually(
            lambda: lease_checker.lease_terms(self.balanced),
            lambda now: now.keys() > known.keys(),
            seconds=seconds,
        )

    def kill_owner(self) -> None:
        """Kill the owner with SIGKILL."""
        known = lease_checker.lease_terms(self.balanced)
        self.disturbances += 1
        self.balanced.kill(self.owner())
        self.wait_for_next_term(known)

    def pause_owner(self, seconds: float = 0) -> None:
        """Pause the owner until another node has sent in its place; then resume it."""
        known = lease_checker.lease_terms(self.balanced)
        self.disturbances += 1
        paused = self.owner()
        os.kill(paused.pid, signal.SIGSTOP)
        try:
            self.wait_for_next_term(known, PAUSED_TAKEOVER_SECONDS_MAX)
            self.flow()
            time.sleep(seconds)
        finally:
            os.kill(paused.pid, signal.SIGCONT)
        eventually(paused.is_healthy, bool)  # It works as a node again.

    def pause_owner_for_long(self) -> None:
        """Pause the owner for half a minute more."""
        self.pause_owner(30)

    def pause_any_shortly(self) -> None:
        """Pause a node for a time that may be shorter than its lease."""
        self.disturbances += 1
        paused = random.choice(self.balanced.up)
        os.kill(paused.pid, signal.SIGSTOP)
        time.sleep(random.uniform(0, SHORT_PAUSE_SECONDS_MAX))
        os.kill(paused.pid, signal.SIGCONT)

    def term_violations(self) -> list[str]:
        """Return all actions outside the actor's lease term."""
        return lease_checker.term_violations(
            lease_checker.lease_terms(self.balanced),
            self.receiver.lines(),
            lease_checker.recorded(self.balanced),
        )


def disturbed(
    postgres: Postgres,
    folder: Path,
    actions: list[str],
    answer_ms: int = ANSWER_MS,
    planted: str = "",
) -> Disturbed:
    """Return the result after these disturbances and the delivery of all events."""
    nodes = BalancedCluster(postgres, folder, {"PLANTED": planted}, [LAUNCHER])
    with WebhookReceiver(folder) as receiver, nodes as balanced:
        found = Disturbed(balanced, receiver)
        first = balanced.servers[0]
        sids = conversations(first, receiver, f"{lease_checker.ECHO}/{answer_ms}")
        lease_checker.watch(postgres, balanced)
        writers = Writers(balanced, sids, EVENTS_PER_SECOND, REFUSALS)
        writers.start()
        try:
            found.flow()
            for action in actions:
                getattr(found, action)()
                found.flow()
        finally:
            writers.stop()
        balanced.all_back()
        if not planted:
            nothing_lost(first, receiver, found.disturbances)
            stored = {sid for sids in committed(first).values() for sid in sids}
            assert {json.loads(text)["sid"] for text in writers.acknowledged} <= stored
            assert len(writers.acknowledged) > EVENTS_PER_SECOND * len(actions)
        return found


def nothing_sent_by_two(found: Disturbed) -> None:
    lines = found.receiver.lines()
    log = lease_checker.recorded(found.balanced)
    print(
        f"{found.disturbances} disturbances,"
        f" {len(lease_checker.lease_terms(found.balanced))} terms,"
        f" {len(lines)} requests, {len(log)} attempts in the log,"
        f" {lease_checker.sent_in_two_terms(lines)} sent again by the next owner",
        file=sys.stderr,
    )
    assert found.term_violations() == []
    # Requests in flight when their owner failed are sent again, and no others.
    assert lease_checker.sent_in_two_terms(lines) <= found.disturbances * IN_FLIGHT_MAX
    # The run proves something only if there were other owners; the log has each one's term.
    assert len({lease_checker.fence_of(line) for line in lines}) > 1
    assert {each.fence for each in log} <= lease_checker.lease_terms(found.balanced).keys()


def test_no_event_is_sent_by_two_owners(postgres: Postgres, tmp_path: Path) -> None:
    nothing_sent_by_two(disturbed(postgres, tmp_path, ["kill_owner", "pause_owner"]))


@pytest.mark.gate
def test_many_disturbances_cause_no_event_sent_by_two_owners(
    postgres: Postgres, tmp_path: Path
) -> None:
    actions = ["kill_owner", "pause_owner", "pause_any_shortly"] * 6
    actions.append("pause_owner_for_long")
    random.shuffle(actions)
    nothing_sent_by_two(disturbed(postgres, tmp_path, actions))
