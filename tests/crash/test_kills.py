"""The server is killed again and again under eight writers: what was acknowledged is kept."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.crash.kill_run import run_kills, shown
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("PARLOUR_KILLS", "25"))
SECONDS_PER_KILL_MAX = 6


@pytest.mark.timeout(120 + KILLS * SECONDS_PER_KILL_MAX)
def test_what_was_acknowledged_survives_every_kill(tmp_path: Path) -> None:
    # pytest-randomly prints the seed that makes this one again.
    seed = int(os.environ.get("PARLOUR_SEED", random.getrandbits(32)))

    outcome = run_kills(Server(tmp_path / "data"), tmp_path, KILLS, seed)

    assert not outcome.found, f"seed {seed}: {shown(outcome)}"
    # Without much work, and without requests caught in flight, nothing was shown.
    assert outcome.expected.acknowledged > KILLS * 20
    assert outcome.expected.unanswered > KILLS
