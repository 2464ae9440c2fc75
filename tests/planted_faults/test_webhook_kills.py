"""The webhook kill harness reports planted faults, and faults in made-up records."""

from __future__ import annotations

from pathlib import Path

import pytest

from parlour.vocabulary.crash_points import EVENT_READ, SENT
from tests.checkers.delivery_checker import differences
from tests.checkers.webhook_receiver import Line
from tests.crash.webhook_kill_run import WebhookKillRun
from tests.support.server import Server

HERE = Path(__file__).parent
LOG = {"CH1": ["IM1", "IM2"], "CH2": ["IM3"]}


def line(sid: str, conversation: str = "CH1", token: str = "") -> Line:
    parameters = {"MessageSid": sid, "ConversationSid": conversation}
    return Line(0.0, "POST", "/ok", {"i-twilio-idempotency-token": token or sid}, parameters)


def test_a_faultless_record_has_no_differences() -> None:
    lines = [line("IM1"), line("IM3", "CH2"), line("IM1"), line("IM2")]
    assert differences(LOG, lines) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("IM1"), line("IM3", "CH2")], "lost"),
        ([line("IM2"), line("IM1"), line("IM3", "CH2")], "disorder"),
        ([line("IM1"), line("IM2"), line("IM3", "CH2"), line("IM9")], "made up"),
        ([line("IM1"), line("IM2"), line("IM3", "CH2"), line("IM1", token="x")], "recognisable"),
    ],
)
def test_each_kind_of_fault_is_reported(lines: list[Line], expected: str) -> None:
    (found,) = differences(LOG, lines)
    assert expected in found


@pytest.mark.gate
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("launcher", "points"),
    [
        ("launch_position_saved_before_sending.py", [EVENT_READ]),
        ("launch_result_recorded_before_sending.py", [SENT]),
    ],
)
def test_planted_fault_is_reported(
    tmp_path: Path, launcher: str, points: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.crash.webhook_kill_run.COMPLETE_SECONDS_MAX", 2.0)
    server = Server(tmp_path / "data", program=[str(HERE / launcher)])
    outcome = WebhookKillRun(server, tmp_path, seed=1).crash_at(points, 30)
    assert any("lost" in each for each in outcome.found), outcome.report()
