"""`kill -9` of the server and of the receiver during deliveries: nothing is lost or invented.

Every committed message is received within a minute of the last restart, no uncommitted one is,
each conversation in commit order, and duplicates have the same token.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary.crash_points import CRASH_POINTS
from tests.checkers.delivery_checker import duplicates
from tests.crash.webhook_kill_run import COMPLETE_SECONDS_MAX, EVENTS_PER_SECOND, WebhookKillRun
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

# Few in the quick run; in the gate as many as other kills.
KILLS = max(6, int(os.environ.get("PARLOUR_KILLS", "25")) // 8)
POINTS = list(CRASH_POINTS) * max(1, KILLS // 6)
DUPLICATES_PER_KILL_MAX = 64


def seed() -> int:
    return int(os.environ.get("PARLOUR_SEED", random.getrandbits(32)))


@pytest.mark.timeout(180 + KILLS * 6)
def test_every_message_is_delivered_despite_kills_of_both_sides(tmp_path: Path) -> None:
    number = seed()
    outcome = WebhookKillRun(Server(tmp_path / "data"), tmp_path, number).kill_at_random(KILLS)
    assert not outcome.found, f"seed {number}: {outcome.report()} {outcome.found[:5]}"
    assert outcome.complete_seconds < COMPLETE_SECONDS_MAX
    assert duplicates(outcome.lines) <= KILLS * DUPLICATES_PER_KILL_MAX
    # The run proves something only with enough messages, and with kills during them.
    assert outcome.offered_per_second > EVENTS_PER_SECOND / 2
    assert outcome.acknowledged > KILLS * 10


@pytest.mark.timeout(180 + len(POINTS) * 25)
def test_every_message_is_delivered_despite_crashes_at_named_points(tmp_path: Path) -> None:
    number = seed()
    outcome = WebhookKillRun(Server(tmp_path / "data"), tmp_path, number).crash_at(POINTS, 30)
    assert not outcome.found, f"seed {number}: {outcome.report()} {outcome.found[:5]}"
    assert outcome.complete_seconds < COMPLETE_SECONDS_MAX
    # The one point between a request and its record certainly causes a duplicate.
    assert 1 <= duplicates(outcome.lines) <= len(POINTS) * DUPLICATES_PER_KILL_MAX
