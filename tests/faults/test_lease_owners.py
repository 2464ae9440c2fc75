"""Three nodes that are killed and paused while webhooks flow: no event is sent by two owners."""

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
from tests.checkers.webhook_receiver import Receiver
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
"""So that requests are on their way whenever something happens to their owner."""
FLOW_SECONDS = 1.5
PAUSED_TAKEOVER_SECONDS_MAX = 10.0
"""Its database ends a transaction that it was paused in after five seconds."""
SHORT_PAUSE_SECONDS_MAX = 2.5
REFUSALS = (429, 503)
"""What a node that was paused says to requests that waited too long."""


class Disturbed:
    """Three nodes that tell a receiver of messages, and what happens to the one that does."""

    def __init__(self, balanced: BalancedCluster, receiver: Receiver) -> None:
        self.balanced = balanced
        self.receiver = receiver
        self.disturbances = 0

    def flow(self) -> None:
        """Let the owner send for a while."""
        before = self.received()
        eventually(self.received, lambda count: count > before + 20, seconds=20)
        time.sleep(FLOW_SECONDS)

    def received(self) -> int:
        """How many requests came so far."""
        return self.receiver.record.read_bytes().count(b"\n")

    def owner(self) -> Server:
        """The node that sends."""
        name = lease_checker.sender(self.receiver.lines()[-1])
        (found,) = [each for each in self.balanced.servers if each.data_dir.name == name]
        return found

    def until_next_turn(
        self, known: lease_checker.Turns, seconds: float = TAKEOVER_SECONDS_MAX
    ) -> None:
        """Wait until another node has taken over."""
        eventually(
            lambda: lease_checker.turns(self.balanced),
            lambda now: now.keys() > known.keys(),
            seconds=seconds,
        )

    def kill_owner(self) -> None:
        """SIGKILL."""
        known = lease_checker.turns(self.balanced)
        self.disturbances += 1
        self.balanced.kill(self.owner())
        self.until_next_turn(known)

    def pause_owner(self, seconds: float = 0) -> None:
        """SIGSTOP, until another has sent in its place for a while; then it goes on."""
        known = lease_checker.turns(self.balanced)
        self.disturbances += 1
        paused = self.owner()
        os.kill(paused.pid, signal.SIGSTOP)
        try:
            self.until_next_turn(known, PAUSED_TAKEOVER_SECONDS_MAX)
            self.flow()
            time.sleep(seconds)
        finally:
            os.kill(paused.pid, signal.SIGCONT)
        eventually(paused.is_healthy, bool)  # It is a node as any other again.

    def pause_owner_for_long(self) -> None:
        """The same, with half a minute of silence."""
        self.pause_owner(30)

    def pause_any_shortly(self) -> None:
        """SIGSTOP for a time after which the lease may still be its own."""
        self.disturbances += 1
        paused = random.choice(self.balanced.up)
        os.kill(paused.pid, signal.SIGSTOP)
        time.sleep(random.uniform(0, SHORT_PAUSE_SECONDS_MAX))
        os.kill(paused.pid, signal.SIGCONT)

    def broken_turns(self) -> list[str]:
        """Everything that an owner did that was not its own to do."""
        return lease_checker.broken_turns(
            lease_checker.turns(self.balanced),
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
    """What is left after these things have happened, and all has been told."""
    nodes = BalancedCluster(postgres, folder, {"PLANTED": planted}, [LAUNCHER])
    with Receiver(folder) as receiver, nodes as balanced:
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
            kept = {sid for told in committed(first).values() for sid in told}
            assert {json.loads(text)["sid"] for text in writers.acknowledged} <= kept
            assert len(writers.acknowledged) > EVENTS_PER_SECOND * len(actions)
        return found


def nothing_sent_by_two(found: Disturbed) -> None:
    lines = found.receiver.lines()
    log = lease_checker.recorded(found.balanced)
    print(
        f"{found.disturbances} disturbances, {len(lease_checker.turns(found.balanced))} turns,"
        f" {len(lines)} requests, {len(log)} attempts in the log,"
        f" {lease_checker.sent_in_two_turns(lines)} sent again by the next owner",
        file=sys.stderr,
    )
    assert found.broken_turns() == []
    # What was on its way when its owner fell silent comes again, and nothing else does.
    assert lease_checker.sent_in_two_turns(lines) <= found.disturbances * IN_FLIGHT_MAX
    # Otherwise nothing was shown: there were other owners, and the log says whose each was.
    assert len({lease_checker.fence_of(line) for line in lines}) > 1
    assert {each.fence for each in log} <= lease_checker.turns(found.balanced).keys()


def test_no_event_is_sent_by_two_owners(postgres: Postgres, tmp_path: Path) -> None:
    nothing_sent_by_two(disturbed(postgres, tmp_path, ["kill_owner", "pause_owner"]))


@pytest.mark.gate
def test_no_event_is_sent_by_two_owners_however_often(postgres: Postgres, tmp_path: Path) -> None:
    actions = ["kill_owner", "pause_owner", "pause_any_shortly"] * 6
    actions.append("pause_owner_for_long")
    random.shuffle(actions)
    nothing_sent_by_two(disturbed(postgres, tmp_path, actions))
