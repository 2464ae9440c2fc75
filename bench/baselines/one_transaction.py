"""Baseline C: the same work, stored in SQLite with one transaction for each request.

Group commit is compared with this: ``BEGIN IMMEDIATE``, read, change, write the event, ``COMMIT``
with ``synchronous=FULL``, on one connection in one helper thread.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import apsw

from bench.baselines import update_handling

if TYPE_CHECKING:
    from bench.baselines.update_handling import ParticipantRecord, Receive, Scope, Send

SCHEMA = """
CREATE TABLE IF NOT EXISTS participant (
    account_sid TEXT NOT NULL, conversation_sid TEXT NOT NULL, sid TEXT NOT NULL,
    identity TEXT, attributes TEXT NOT NULL, role_sid TEXT,
    date_created TEXT NOT NULL, date_updated TEXT NOT NULL,
    last_read_message_index INTEGER, last_read_timestamp TEXT,
    PRIMARY KEY (account_sid, sid)
);
CREATE TABLE IF NOT EXISTS event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    account_sid TEXT NOT NULL, conversation_sid TEXT NOT NULL, subject_sid TEXT NOT NULL,
    name TEXT NOT NULL, date_ms INTEGER NOT NULL, payload TEXT NOT NULL
);
"""
INSERT = """
INSERT OR IGNORE INTO participant
VALUES (?, ?, ?, ?, '{}', NULL, ?, ?, NULL, NULL)
"""
SELECT = """
SELECT identity, date_created FROM participant
 WHERE account_sid = ? AND conversation_sid = ? AND sid = ?
"""
UPDATE = """
UPDATE participant
   SET attributes = ?, role_sid = ?, date_updated = ?, last_read_message_index = ?,
       last_read_timestamp = ?
 WHERE account_sid = ? AND sid = ?
"""
INSERT_EVENT = """
INSERT INTO event (account_sid, conversation_sid, subject_sid, name, date_ms, payload)
VALUES (?, ?, ?, 'onParticipantUpdated', ?, ?)
"""


class SqliteDatabase:
    """The single connection, used only by the one helper thread."""

    def __init__(self, path: str) -> None:
        """Open the file as the server under test does: WAL, every commit on disk."""
        self.connection = apsw.Connection(path)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(SCHEMA)
        self.execute = self.connection.execute

    def update(self, changed: ParticipantRecord) -> bytes:
        """Write one participant and its event; return the response body once both are on disk."""
        key = (changed.account_sid, changed.conversation_sid, changed.sid)
        self.execute("BEGIN IMMEDIATE")
        try:
            row = self.execute(SELECT, key).fetchone()
            if row is None:
                row = self._make(changed)
            changed.identity, changed.date_created = row
            self._write(changed)
            self.execute("COMMIT")
        except BaseException:
            self.execute("ROLLBACK")
            raise
        return update_handling.encode(changed)

    def _write(self, changed: ParticipantRecord) -> None:
        values = (
            changed.attributes,
            changed.role_sid,
            changed.date_updated,
            changed.last_read_message_index,
            changed.last_read_timestamp,
        )
        self.execute(UPDATE, (*values, changed.account_sid, changed.sid))
        payload = update_handling.encode(changed).decode()
        now_ms = int(time.time() * 1000)
        subject = (changed.account_sid, changed.conversation_sid, changed.sid)
        self.execute(INSERT_EVENT, (*subject, now_ms, payload))

    def _make(self, first: ParticipantRecord) -> tuple[str, str]:
        """Return the row of an unknown participant: a run needs no seeding."""
        assert first.identity is not None
        created = first.date_created
        key = (first.account_sid, first.conversation_sid, first.sid)
        self.execute(INSERT, (*key, first.identity, created, created))
        return first.identity, created


database = SqliteDatabase(os.environ["BENCH_DATABASE"])
thread = ThreadPoolExecutor(max_workers=1)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Store the change, then respond."""
    if scope["path"] == "/healthz":
        await update_handling.answer_health(send)
        return
    try:
        account_sid = update_handling.authenticate(scope["headers"])
        form = await update_handling.read_form(receive)
        changed = update_handling.participant_of(account_sid, scope["path"], form)
    except update_handling.RejectedRequestError as refused:
        await update_handling.answer(send, refused.status, b"{}")
        return
    loop = asyncio.get_running_loop()
    body = await loop.run_in_executor(thread, database.update, changed)
    await update_handling.answer(send, 200, body)
