"""The harness of kills in both directions reports planted faults, and faults in made-up records."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary.crash_points import INBOUND_RECEIVED, SUBMISSION_SENT
from tests.checkers.channel_checker import (
    StoredChannels,
    StoredMessage,
    StoredReceipt,
    channel_violations,
    sent_after_term,
)
from tests.checkers.channel_provider import Arrival
from tests.checkers.channel_traffic import PAIRED, STRANGERS
from tests.crash.channel_kill_run import ChannelKillRun

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = PAIRED[:2]
STRANGER = STRANGERS[0]


def stored(**changes: object) -> StoredChannels:
    faultless = StoredChannels(
        [
            StoredMessage("CH1", "IM0", ONE, "0"),
            StoredMessage("CH1", "IM1", ONE, "1"),
            StoredMessage("CH2", "IM2", STRANGER, "0"),
        ],
        [
            StoredReceipt(OTHER, "IM0", "SM0", "delivered"),
            StoredReceipt(OTHER, "IM1", "SM1", "delivered"),
        ],
        [("CH1", ONE), ("CH1", OTHER), ("CH2", STRANGER)],
        Counter({("DY0", "sent"): 1}),
    )
    return faultless._replace(**changes)  # type: ignore[arg-type]


def arrival(number: int, term: str = "one", body: str = "") -> Arrival:
    return Arrival(f"SM{number}", OTHER, body or str(number), term)


ARRIVALS = [arrival(0), arrival(0, "two"), arrival(1, "two")]


def found(
    acknowledged: int = 2,
    posted: tuple[str, ...] = (),
    arrivals: list[Arrival] | None = None,
    **changes: object,
) -> list[str]:
    counts = {ONE: acknowledged, STRANGER: 1}
    return channel_violations(counts, posted, stored(**changes), arrivals or ARRIVALS)


def test_a_faultless_record_has_no_violations() -> None:
    assert found() == []
    assert found(acknowledged=1) == []  # The last one was stored, and its acknowledgement lost.


@pytest.mark.parametrize(
    ("violations", "expected"),
    [
        (found(acknowledged=3), "lost inbound"),
        (found(acknowledged=0), "lost inbound"),
        (found(posted=("IM9",)), "lost program"),
        (found(recipients=[*stored().recipients, ("CH3", STRANGER)]), "conversations"),
        (found(receipts=stored().receipts[:1], arrivals=ARRIVALS[:2]), "lost outbound"),
        (found(arrivals=ARRIVALS[:2]), "lost outbound"),
        (found(arrivals=[arrival(1), arrival(0)]), "disorder"),
        (found(arrivals=[*ARRIVALS, arrival(7, "two")]), "unrecorded"),
        (found(arrivals=[*ARRIVALS[:2], arrival(1, body="another")]), "unrecorded"),
        (found(arrivals=[*ARRIVALS, arrival(1, "two")]), "twice"),
        (found(arrivals=[*ARRIVALS, arrival(0, "three")]), "twice"),
        (found(receipts=[stored().receipts[0]._replace(status="sent")]), "report"),
        (found(published=Counter({("DY0", "sent"): 2})), "report"),
    ],
)
def test_each_kind_of_violation_is_reported(violations: list[str], expected: str) -> None:
    assert any(each.startswith(expected) for each in violations), violations


def test_a_submission_after_the_lease_term_of_its_sender_is_reported() -> None:
    terms = {3: 0.0, 4: 100.0, 6: 200.0}
    in_term = [
        Arrival("SM0", OTHER, "0", "one", 3, 99.9),
        Arrival("SM1", OTHER, "1", "two", 6, 999),
    ]
    assert sent_after_term(terms, in_term) == []
    (late,) = sent_after_term(terms, [*in_term, Arrival("SM2", OTHER, "2", "one", 3, 100.01)])
    assert late.startswith("superseded: SM2")


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("planted", "point", "expected"),
    [
        ("acknowledge_first", INBOUND_RECEIVED, "lost inbound"),
        ("send_first", SUBMISSION_SENT, "unrecorded"),
        pytest.param("record_first", SUBMISSION_SENT, "lost outbound", marks=pytest.mark.gate),
    ],
)
def test_planted_fault_is_reported(tmp_path: Path, planted: str, point: str, expected: str) -> None:
    result = ChannelKillRun(tmp_path, seed=1, planted=planted).run([point], settles=False)
    assert any(each.startswith(expected) for each in result.found), result.report()
