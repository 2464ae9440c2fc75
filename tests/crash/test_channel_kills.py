"""`kill -9` while messages flow in both directions, at random and at each named point.

No acknowledged message is lost in either direction, none is added twice, each phone gets its
messages in order, and only those in flight are sent again, with the same reference.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary.crash_points import (
    INBOUND_CRASH_POINTS,
    OUTBOX_CRASH_POINTS,
    REPORT_CRASH_POINTS,
)
from tests.checkers.channel_traffic import LANES
from tests.crash.channel_kill_run import ChannelKillRun
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from pathlib import Path

# Few in the quick run; in the gate fewer than other kills, since each needs a start.
RANDOM_KILLS = max(2, int(os.environ.get("PARLOUR_KILLS", "25")) // 10)
POINTS = [*INBOUND_CRASH_POINTS, *OUTBOX_CRASH_POINTS, *REPORT_CRASH_POINTS]
KILLS = POINTS * max(1, RANDOM_KILLS // 10) + [""] * RANDOM_KILLS


@pytest.mark.slow
@pytest.mark.timeout(120 + len(KILLS) * 10)
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.gate)])
def test_messages_in_both_directions_survive_kills(tmp_path: Path, engine: str) -> None:
    seed = int(os.environ.get("PARLOUR_SEED", random.getrandbits(32)))
    database = shared().make_migrated_database() if engine == "postgres" else ""
    run = ChannelKillRun(tmp_path, seed, database)
    kills = run.rng.sample(KILLS, len(KILLS))
    result = run.run(kills)
    assert not result.found, f"seed {seed}: {result.report()} {result.found[:5]}"
    # The crash between a submission and its record certainly repeats it.
    assert 1 <= result.repeated <= len(kills) * LANES, result.report()
    # The run proves something only with enough messages in both directions.
    assert result.inbound > len(kills) * 5, result.report()
    assert result.submissions > len(kills) * 5, result.report()
