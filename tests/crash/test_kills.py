"""The server is killed repeatedly under eight writers: acknowledged changes are durable."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.crash.kill_run import describe_outcome, run_kills
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("PARLOUR_KILLS", "25"))
SECONDS_PER_KILL_MAX = 6


@pytest.mark.timeout(120 + KILLS * SECONDS_PER_KILL_MAX)
def test_acknowledged_changes_survive_every_kill(tmp_path: Path) -> None:
    # pytest-randomly prints the seed that reproduces this run.
    seed = int(os.environ.get("PARLOUR_SEED", random.getrandbits(32)))

    outcome = run_kills(Server(tmp_path / "data"), tmp_path, KILLS, seed)

    assert not outcome.found, f"seed {seed}: {describe_outcome(outcome)}"
    # The run proves something only with enough work, and with requests in flight at kills.
    assert outcome.expected.acknowledged > KILLS * 20
    assert outcome.expected.unanswered > KILLS
