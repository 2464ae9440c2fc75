"""Atomicity of a database after a crash: each change is complete, rows and event together.

`state_checker.py` checks the API; this module checks the tables: every row has the event of its
creation, the last event of an object matches its row, no row belongs to a deleted owner. A SQLite
file is opened after the server has exited, a PostgreSQL database when no process writes to it. Rows
that still await removal in the background are marked as such and do not count.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.checkers.expected_state import ExpectedState
    from tests.support.server import Server

Row = dict[str, Any]


class TableChecks(NamedTuple):
    """Table, payload key and event names of one kind of object."""

    table: str
    payload: str
    added: str
    removed: str
    # Columns that changes of other objects may touch without an event of this object.
    hidden: frozenset[str] = frozenset()


TABLE_CHECKS = (
    TableChecks(
        "conversation",
        "conversation",
        "onConversationAdded",
        "onConversationRemoved",
        frozenset(
            {
                "next_message_index",
                "removed_messages",
                "last_activity",
                "date_inactive",
                "date_closed",
            }
        ),
    ),
    TableChecks(
        "participant",
        "participant",
        "onParticipantAdded",
        "onParticipantRemoved",
        frozenset({"holds_pair", "is_open"}),
    ),
    TableChecks("message", "message", "onMessageAdded", "onMessageRemoved"),
    TableChecks("chat_user", "user", "onUserAdded", "userRemoved"),
)
BELOW_A_CONVERSATION = ("participant", "message", "receipt", "scoped_webhook")
WITH_A_SID = (
    *BELOW_A_CONVERSATION,
    "conversation",
    "service",
    "chat_user",
    "role",
    "credential",
    "address_configuration",
)
BELOW_A_SERVICE = ("conversation", "participant", "message", "chat_user", "role")


def violations(data_dir: Path, history: ExpectedState | None = None) -> list[str]:
    """Return all violations in a data directory."""
    return [what for path in databases(data_dir) for what in violations_in(path, history)]


def databases(data_dir: Path) -> list[Path]:
    """Return the database files of a data directory; an AssertionError if there is none."""
    magic = b"SQLite format 3\0"
    found = [path for path in data_dir.iterdir() if path.is_file()]
    result = [path for path in found if path.read_bytes()[: len(magic)] == magic]
    assert result, f"no database in {data_dir}"
    return result


def violations_in(path: Path, history: ExpectedState | None = None) -> Iterator[str]:
    """Yield all violations in one database file."""
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN")  # One snapshot of all tables: a server may be writing.

    def rows(table: str) -> list[Row]:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        names = [str(column[1]) for column in columns]
        found = connection.execute(f"SELECT * FROM {table}").fetchall()
        return [dict(zip(names, row, strict=True)) for row in found]

    try:
        for (verdict,) in connection.execute("PRAGMA integrity_check").fetchall():
            if verdict != "ok":
                yield f"integrity: {verdict}"
        tables = Tables(rows)
        yield from _numbers(tables)
        yield from _halves(tables, history)
    finally:
        connection.close()


def violations_after(server: Server, history: ExpectedState | None = None) -> list[str]:
    """Return all violations in the PostgreSQL database of a server."""

    def rows(table: str) -> list[Row]:
        found = connection.execute(f"SELECT * FROM {table}")
        names = [name for name, *_ in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    with closing(connect(server)) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")  # One snapshot of all tables.
        # Event numbers have gaps there: a rolled-back transaction does not return its numbers.
        return list(_halves(Tables(rows), history))


def _halves(tables: Tables, history: ExpectedState | None) -> Iterator[str]:
    for checks in TABLE_CHECKS:
        yield from _rows_and_events(tables, checks)
    yield from _orphans(tables)
    yield from _messages(tables)
    yield from _sids(tables)
    if history is not None:
        yield from _phantoms(tables, history)


class Tables:
    """The tables of one database, read once each."""

    def __init__(self, read: Callable[[str], list[Row]]) -> None:
        self._fetch = read
        self._read: dict[str, list[Row]] = {}
        self.purged = {row["owner_sid"] for row in self.rows("purge")}
        self.events_of: dict[str, list[Row]] = defaultdict(list)
        for event in self.events:
            self.events_of[event["subject_sid"]].append(event)

    @property
    def events(self) -> list[Row]:
        """Return the event log, in order."""
        return sorted(self.rows("event"), key=lambda event: int(event["sequence"]))

    def rows(self, table: str) -> list[Row]:
        """Return all rows of a table."""
        if table not in self._read:
            self._read[table] = self._fetch(table)
        return self._read[table]

    def is_doomed(self, row: Row) -> bool:
        """Return whether a row awaits its removal in the background."""
        owners = {row.get("conversation_sid"), row.get("service_sid"), row.get("message_sid")}
        return bool(owners & self.purged)


def _numbers(tables: Tables) -> Iterator[str]:
    """The event log has no gap: no event is rolled back alone."""
    sequences = [event["sequence"] for event in tables.events]
    if sequences and sequences != list(range(sequences[0], sequences[0] + len(sequences))):
        gap = next(a for a, b in itertools.pairwise(sequences) if b != a + 1)
        yield f"the event log has a gap after {gap}"


def _rows_and_events(tables: Tables, checks: TableChecks) -> Iterator[str]:
    """Each object of a kind has one creation event, and its row matches its events."""
    rows = {row["sid"]: row for row in tables.rows(checks.table)}
    roles = {None, *(row["sid"] for row in tables.rows("role"))}
    events_of: dict[str, list[Row]] = {
        sid: [event for event in found if checks.payload in json.loads(event["payload"])]
        for sid, found in tables.events_of.items()
        if any(event["name"] in {checks.added, checks.removed} for event in found)
    }
    for sid, row in rows.items():
        added = [event for event in events_of.get(sid, []) if event["name"] == checks.added]
        if len(added) != 1:
            yield f"{checks.table} {sid} has {len(added)} events {checks.added}"
            continue
        last = events_of[sid][-1]
        if last["name"] == checks.removed and not tables.is_doomed(row):
            yield f"{checks.table} {sid} has a row and the event {checks.removed}"
        elif last["name"] != checks.removed:
            values = _last_values(checks, events_of[sid])
            if values.get("role_sid") not in roles:
                # Deletion of a role resets it for its holders; only the role's event shows that.
                del values["role_sid"]
            yield from _mismatch(checks, row, values, last["name"])
    for sid, found in events_of.items():
        if sid not in rows and not _is_removed(tables, checks, found):
            yield f"{checks.table} {sid} has the event {found[0]['name']} and no row"


def _last_values(checks: TableChecks, found: list[Row]) -> Row:
    """Return the last value of each column: an event about a part shows only that part."""
    values: Row = {}
    for event in found:
        values |= json.loads(event["payload"])[checks.payload]
    return values


def _mismatch(checks: TableChecks, row: Row, expected: Row, event: str) -> Iterator[str]:
    """Yield the columns in which a row differs from its last event."""
    for column, value in row.items():
        if column not in checks.hidden and column in expected and expected[column] != value:
            yield (
                f"{checks.table} {row['sid']}: {column} is {value!r}, "
                f"its last event {event} says {expected[column]!r}"
            )


def _is_removed(tables: Tables, checks: TableChecks, found: list[Row]) -> bool:
    """Return whether an object without a row was deleted, directly or with its owner."""
    if any(event["name"] == checks.removed for event in found):
        return True
    conversations = {row["sid"] for row in tables.rows("conversation")}
    services = {row["sid"] for row in tables.rows("service")}
    first = found[0]
    is_below = bool(first["conversation_sid"]) and checks.table != "conversation"
    return (is_below and first["conversation_sid"] not in conversations) or (
        first["service_sid"] not in services
    )


def _orphans(tables: Tables) -> Iterator[str]:
    """No row belongs to a deleted conversation, service or user."""
    conversations = {row["sid"] for row in tables.rows("conversation")}
    services = {row["sid"] for row in tables.rows("service")}
    users = {(row["service_sid"], row["identity"]) for row in tables.rows("chat_user")}
    for table in BELOW_A_CONVERSATION:
        for row in tables.rows(table):
            if row["conversation_sid"] not in conversations and not tables.is_doomed(row):
                yield f"{table} {row['sid']} is in no conversation"
    for table in BELOW_A_SERVICE:
        for row in tables.rows(table):
            if row["service_sid"] not in services and not tables.is_doomed(row):
                yield f"{table} {row['sid']} is in no service"
    for row in tables.rows("participant"):
        is_user = (row["service_sid"], row["identity"]) in users
        if row["identity"] is not None and not is_user and not tables.is_doomed(row):
            yield f"participant {row['sid']} is no user: {row['identity']}"


def _messages(tables: Tables) -> Iterator[str]:
    """A message's index was counted, and its receipts exist."""
    receipts = Counter(row["message_sid"] for row in tables.rows("receipt"))
    highest: dict[str, int] = {}
    for row in tables.rows("message"):
        sid = row["conversation_sid"]
        highest[sid] = max(highest.get(sid, -1), row["message_index"])
        if row["receipts_total"] != receipts[row["sid"]] and not tables.is_doomed(row):
            yield f"message {row['sid']} has {receipts[row['sid']]} receipts"
    for row in tables.rows("conversation"):
        if row["next_message_index"] <= highest.get(row["sid"], -1):
            yield f"conversation {row['sid']} would give the index of a message again"


def _sids(tables: Tables) -> Iterator[str]:
    """No SID occurs in two rows."""
    found = Counter(row["sid"] for table in WITH_A_SID for row in tables.rows(table))
    for sid, count in found.items():
        if count > 1:
            yield f"the sid {sid} stands in {count} rows"


def _phantoms(tables: Tables, history: ExpectedState) -> Iterator[str]:
    """Every acknowledged request has its event, and no event lacks a request."""
    by_payload = {checks.payload: checks for checks in TABLE_CHECKS}
    added = {event["subject_sid"] for event in tables.events if event["name"].endswith("Added")}
    removed = {
        event["subject_sid"] for event in tables.events if event["name"].lower().endswith("removed")
    }
    for known in history.known.values():
        if known.kind not in by_payload:
            continue
        if known.sid not in added:
            yield f"{known.kind} {known.sid} was acknowledged and has no event"
        if known.deleted == "yes" and known.sid not in removed:
            yield f"{known.kind} {known.sid} was deleted and has no event"
        if (
            known.deleted == "no"
            and known.sid in removed
            and not _has_deleted_owner(history, known.sid)
        ):
            yield f"{known.kind} {known.sid} has a removal event without a request"


def _has_deleted_owner(history: ExpectedState, sid: str) -> bool:
    """Return whether the deletion of an owner may have removed this object too."""
    known = next(each for each in history.known.values() if each.sid == sid)
    owners = [
        history.known.get((kind, parent))
        for parent in known.parents
        for kind in ("conversation", "service")
    ]
    if known.body.get("identity") and known.parents:
        owners += history.of_identity(known.parents[-1], known.body["identity"])
    return any(owner is not None and owner.deleted != "no" for owner in owners)
