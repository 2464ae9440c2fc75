"""Fills a stopped server's SQLite file far beyond what requests could do in reasonable time.

One user, conversation, participant and message are created through the REST API; their rows are
then copied straight into the file, with only those columns changed that distinguish rows. So a row
always has the contents that the server itself writes, and this is the only file of the benchmark
that knows names of tables and columns.
"""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.workload import BODY, SEED, Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bench.api_client import KeepAliveApi

LONG_MESSAGES = 60
"""Messages of a long conversation: enough for a full page of 50."""
PARTICIPANTS_EACH = 2
ROLE_TYPE = "conversation"
SQLITE_HEADER = b"SQLite format 3\0"
CACHE_KIBIBYTES = 1 << 20

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SeedSize:
    """The number of rows. One message in ten is in one conversation, six are in long ones."""

    messages: int
    conversations: int
    users: int

    def message_counts(self) -> list[int]:
        """Return every conversation's messages: the longest, the long ones, the short rest."""
        longest = self.messages // 10
        long_ones = self.messages * 6 // 10 // LONG_MESSAGES
        others = self.conversations - 1 - long_ones
        left = self.messages - longest - long_ones * LONG_MESSAGES
        short = [left // others + (1 if i < left % others else 0) for i in range(others)]
        return [longest, *[LONG_MESSAGES] * long_ones, *short]


@dataclass(frozen=True, slots=True)
class Filled:
    """The names that requests to a filled store may use."""

    names: Names
    longest: str
    long_ones: list[str]


@dataclass(frozen=True, slots=True)
class SeedTemplate:
    """The sids of one row of each kind, created by the server."""

    identity: str
    conversation_sid: str
    participant_sid: str
    message_sid: str
    role_sid: str


def make_template(api: KeepAliveApi) -> SeedTemplate:
    """Create one conversation with one participant, who is a user, and one message."""
    identity = "template@example.com"
    conversation = api.post("/v1/Conversations", FriendlyName="Template")
    path = f"/v1/Conversations/{conversation['sid']}"
    participant = api.post(f"{path}/Participants", Identity=identity)
    message = api.post(f"{path}/Messages", Author=identity, Body=BODY)
    return SeedTemplate(
        identity, conversation["sid"], participant["sid"], message["sid"], participant["role_sid"]
    )


def database_of(data: Path) -> Path:
    """Return the SQLite file in a server's data folder."""
    for path in sorted(data.iterdir()):
        if path.is_file() and path.open("rb").read(len(SQLITE_HEADER)) == SQLITE_HEADER:
            return path
    raise FileNotFoundError(f"no SQLite file in {data}")


def fill(database: Path, template: SeedTemplate, shape: SeedSize) -> Filled:
    """Copy the template's rows until the file has the shape; the server must be stopped."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        # No crash safety is needed: a load that fails is discarded.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        connection.execute("BEGIN IMMEDIATE")
        filled = _Filling(connection, template, shape).run()
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    return filled


class _Filling:
    """One load: its connection, its templates and its source of sids."""

    def __init__(
        self, connection: sqlite3.Connection, template: SeedTemplate, shape: SeedSize
    ) -> None:
        self.connection = connection
        self.shape = shape
        self.chance = random.Random(SEED)
        self.user = self._row("chat_user", "identity", template.identity)
        self.conversation = self._row("conversation", "sid", template.conversation_sid)
        self.participant = self._row("participant", "sid", template.participant_sid)
        self.message = self._row("message", "sid", template.message_sid)
        self.names = Names([], [], {}, template.role_sid)
        # Rows are older than the template, in the order in which they are written.
        self.sequence: int = self.conversation["sequence"] - 10 * (
            shape.conversations + shape.users
        )

    def run(self) -> Filled:
        """Write everything; return the names of the new objects."""
        identities = [f"user-{number}@example.com" for number in range(self.shape.users)]
        self._insert("chat_user", self.user, self._users(identities))
        counts = self.shape.message_counts()
        sids = [self._sid("CH") for _ in counts]
        self._insert("conversation", self.conversation, self._conversations(sids, counts))
        self._insert("participant", self.participant, self._participants(sids, identities))
        self._insert("message", self.message, self._messages(counts))
        long_ones = [s for s, count in zip(sids, counts, strict=True) if count == LONG_MESSAGES]
        return Filled(self.names, sids[0], long_ones)

    def _users(self, identities: list[str]) -> Iterator[Row]:
        for identity in identities:
            yield {"sid": self._sid("US"), "sequence": self._next(), "identity": identity}

    def _conversations(self, sids: list[str], counts: list[int]) -> Iterator[Row]:
        for sid, count in zip(sids, counts, strict=True):
            sequence = self._next()
            yield {
                "sid": sid,
                "sequence": sequence,
                "date_created": sequence // 1000,
                "last_activity": self.conversation["last_activity"]
                - (self.conversation["sequence"] - sequence) // 1000,
                "next_message_index": count,
            }

    def _participants(self, sids: list[str], identities: list[str]) -> Iterator[Row]:
        for number, conversation_sid in enumerate(sids):
            self.names.conversations.append(conversation_sid)
            chosen = [
                identities[(number + seat * 7) % len(identities)]
                for seat in range(PARTICIPANTS_EACH)
            ]
            self.names.identities[conversation_sid] = chosen
            for identity in chosen:
                sid = self._sid("MB")
                self.names.participants.append((conversation_sid, sid))
                yield {
                    "conversation_sid": conversation_sid,
                    "sid": sid,
                    "sequence": self._next(),
                    "identity": identity,
                }

    def _messages(self, counts: list[int]) -> Iterator[Row]:
        for number, count in enumerate(counts):
            conversation_sid, participant_sid = self.names.participants[number * PARTICIPANTS_EACH]
            author = self.names.identities[conversation_sid][0]
            for index in range(count):
                yield {
                    "conversation_sid": conversation_sid,
                    "sid": self._sid("IM"),
                    "message_index": index,
                    "author": author,
                    "participant_sid": participant_sid,
                }

    def _row(self, table: str, column: str, value: str) -> Row:
        cursor = self.connection.execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,))
        found = cursor.fetchone()
        assert found is not None, f"no template in {table}"
        return dict(zip((name for name, *_ in cursor.description), found, strict=True))

    def _insert(self, table: str, template: Row, rows: Iterable[Row]) -> None:
        """Write copies of the template, except for the named columns."""
        columns = list(template)
        places = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
        self.connection.executemany(statement, (tuple((template | row).values()) for row in rows))

    def _sid(self, prefix: str) -> str:
        return f"{prefix}{self.chance.getrandbits(128):032x}"

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence
