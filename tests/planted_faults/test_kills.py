"""The kill -9 harness on servers with a planted fault: it must report the lost changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.kill_run import describe_outcome, run_kills
from tests.support.server import Server

KILLS = 5
SEED = 20_240_607
HERE = Path(__file__).parent


@pytest.mark.gate
@pytest.mark.timeout(240)
def test_response_before_the_commit_is_reported_as_lost(tmp_path: Path) -> None:
    program = (str(HERE / "launch_answer_before_commit.py"),)
    server = Server(tmp_path / "data", program=program)

    outcome = run_kills(server, tmp_path, KILLS, SEED)

    first_lines = [story.partition("\n")[0] for story in outcome.found]
    assert any(" is lost" in line or " should be " in line for line in first_lines), (
        describe_outcome(outcome)
    )


@pytest.mark.gate
@pytest.mark.timeout(240)
def test_event_after_the_commit_is_reported_as_partial(tmp_path: Path) -> None:
    program = (str(HERE / "launch_event_after_commit.py"),)
    server = Server(tmp_path / "data", program=program)

    outcome = run_kills(server, tmp_path, KILLS, SEED)

    texts = ("has 0 events", "its last event", "and no row")
    assert any(words in story for story in outcome.found for words in texts), describe_outcome(
        outcome
    )
