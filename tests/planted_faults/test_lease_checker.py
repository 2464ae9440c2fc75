"""The lease checker reports faults: owners without fencing are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.checkers.lease_checker import RecordedAttempt, term_violations
from tests.checkers.webhook_receiver import Line
from tests.faults.test_lease_owners import disturbed
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_MS = 300
LEASE_TERMS = {3: 0.0, 4: 100.0, 6: 200.0}


def line(token: str, fence: int, at: float, retry_count: int = 0) -> Line:
    headers = {"i-twilio-idempotency-token": token, "x-fence": str(fence), "x-at": str(at)}
    return Line(at, "POST", "/ok", headers, {"RetryCount": str(retry_count)})


FAULTLESS = [line("a", 3, 50.0), line("b", 3, 98.0), line("b", 4, 101.0), line("c", 6, 200.5)]
LOG = [RecordedAttempt("a", 0, "delivered", 3), RecordedAttempt("b", 0, "delivered", 4)]


def test_unrecorded_requests_in_flight_may_be_sent_again() -> None:
    assert term_violations(LEASE_TERMS, FAULTLESS, LOG) == []


@pytest.mark.parametrize(
    ("lines", "log", "expected"),
    [
        ([line("c", 3, 100.01)], [], "superseded"),
        ([line("c", 3, 200.01)], [], "superseded"),
        ([line("c", 5, 1.0)], [], "unknown"),
        ([], [RecordedAttempt("a", 0, "retrying", 4)], "two owners"),
        ([], [RecordedAttempt("a", 1, "delivered", 6)], "two owners"),
        ([line("a", 4, 101.0)], [], "again"),
    ],
)
def test_each_kind_of_fault_is_reported(
    lines: list[Line], log: list[RecordedAttempt], expected: str
) -> None:
    found = term_violations(LEASE_TERMS, FAULTLESS + lines, LOG + log)
    assert found
    assert all(each.startswith((expected, "superseded")) for each in found), found
    assert any(each.startswith(expected) for each in found), found


@pytest.mark.gate
@pytest.mark.timeout(200)
@pytest.mark.xdist_group("nodes")
def test_owners_without_a_fence_are_reported(tmp_path: Path) -> None:
    # Many deliveries wait in the memory of the paused node.
    found = disturbed(shared(), tmp_path, ["pause_owner"], ANSWER_MS, planted="unfenced")
    broken = found.term_violations()
    kinds = {each.partition(":")[0] for each in broken}
    assert kinds >= {"superseded", "two owners"}, broken[:5]
