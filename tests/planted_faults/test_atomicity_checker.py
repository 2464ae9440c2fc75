"""The atomicity checker reports one fault in a database, and nothing else."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from parlour.store.engines import DATABASE_NAME
from tests.checkers.atomicity_checker import violations, violations_in
from tests.crash.recorded_server import record_work, wait_until_idle

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20_240_607
STEPS = 60
MEMBER = "SELECT sid FROM participant WHERE identity IS NOT NULL ORDER BY sequence LIMIT 1"
OWNER = "SELECT conversation_sid FROM message ORDER BY date_created LIMIT 1"

FAULTS = {
    "an event is missing": (
        (
            "DELETE FROM event WHERE sequence ="
            " (SELECT MAX(sequence) FROM event WHERE subject_sid IN (SELECT sid FROM message)"
            "  AND name = 'onMessageAdded')"
        ),
        "has 0 events onMessageAdded",
    ),
    "the event log has a gap": (
        "DELETE FROM event WHERE sequence = 5",
        "the event log has a gap after 4",
    ),
    "a row is not what its event says": (
        "UPDATE message SET body = 'another' WHERE sid = (SELECT sid FROM message LIMIT 1)",
        "body is 'another', its last event",
    ),
    "a row is missing": (
        f"DELETE FROM participant WHERE sid = ({MEMBER})",
        "has the event onParticipantAdded and no row",
    ),
    "a row is there in spite of its removal": (
        (
            "UPDATE event SET name = 'onParticipantRemoved' WHERE sequence ="
            " (SELECT MAX(event.sequence) FROM event JOIN participant ON sid = subject_sid"
            "   WHERE name = 'onParticipantUpdated' AND event.sequence ="
            "       (SELECT MAX(sequence) FROM event AS last WHERE last.subject_sid = sid))"
        ),
        "has a row and the event onParticipantRemoved",
    ),
    "a conversation is gone without its messages": (
        f"DELETE FROM conversation WHERE sid = ({OWNER})",
        "is in no conversation",
    ),
    "a service is gone without what is in it": (
        "DELETE FROM service WHERE sid = (SELECT service_sid FROM message LIMIT 1)",
        "is in no service",
    ),
    "a participant is no user": (
        (
            "DELETE FROM chat_user WHERE identity ="
            f" (SELECT identity FROM participant WHERE sid = ({MEMBER}))"
        ),
        "is no user",
    ),
    "an index would be given again": (
        f"UPDATE conversation SET next_message_index = 0 WHERE sid = ({OWNER})",
        "would give the index of a message again",
    ),
    "a receipt is missing": (
        (
            "UPDATE message SET receipts_total = receipts_total + 1"
            " WHERE sid = (SELECT sid FROM message LIMIT 1)"
        ),
        "receipts",
    ),
    "a sid is in two rows": (
        (
            "UPDATE role SET sid = (SELECT sid FROM conversation LIMIT 1)"
            " WHERE sid = (SELECT sid FROM role LIMIT 1)"
        ),
        "stands in 2 rows",
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a run without faults."""
    folder = tmp_path_factory.mktemp("whole")
    record_work(folder, synchronous="OFF", steps=STEPS, seed=SEED)
    # Rows that await removal do not count, and a fault in them would not be seen.
    wait_until_idle(folder)
    return folder


def test_consistent_database_has_no_violations(whole: Path) -> None:
    assert violations(whole) == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_reported(whole: Path, tmp_path: Path, name: str) -> None:
    statement, expected = FAULTS[name]
    path = tmp_path / DATABASE_NAME
    shutil.copy(whole / DATABASE_NAME, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount == 1

    assert any(expected in what for what in violations_in(path)), list(violations_in(path))
