"""Targets of the matrix: a server process, or the same application inside this process."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from parlour.app import open_app
from parlour.config import Settings
from parlour.resources import account_setup
from parlour.resources.accounts import store as account_store
from parlour.vocabulary import sids
from parlour.vocabulary.scope import Scope
from tests.support.client import FORM_TYPE, Api, encode
from tests.support.in_process_requests import send_request
from tests.support.machine_pressure import Stopwatch
from tests.support.server_database import connect

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.app import App
    from parlour.store.transaction import Transaction, Work
    from tests.support.server import Server

T = TypeVar("T")
Fields = Mapping[str, str | list[str]]
Rows = dict[str, set[tuple[Any, ...]]]
"""The rows of an account, by table."""

SETTLE_SECONDS_MAX = 10.0
POLL_SECONDS = 0.01
"""Polling interval of the sinks, which checkpoint their positions after a poll without events.

The purge of a service needs the checkpoint, and is otherwise postponed by half a second. With the
default interval of 250 ms almost every purge of a test was.
"""
VOLATILE = {"date", "twilio-request-id", "twilio-request-duration"}
SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")

# Background work in progress: none of it may be left when states are compared. A receipt is final
# after a failure too, and the receipt of a message that a phone holds until it is switched on.
GOING_ON = """
SELECT (SELECT COUNT(*) FROM purge) + (SELECT COUNT(*) FROM departure)
     + (SELECT COUNT(*) FROM virtual_phone_report)
     + (SELECT COUNT(*) FROM submission WHERE state = 'queued')
     + (SELECT COUNT(*) FROM inbox WHERE state = 'pending')
     + (SELECT COUNT(*) FROM conversation WHERE pending_participants IS NOT NULL)
     + (SELECT COUNT(*) FROM receipt
         WHERE (status IS NULL OR status NOT IN ('delivered', 'read', 'undelivered', 'failed'))
           AND EXISTS (SELECT 1 FROM message WHERE message.sid = receipt.message_sid)
           AND NOT EXISTS (SELECT 1 FROM virtual_phone_message AS held
                            WHERE held.sid = receipt.channel_message_sid AND held.is_held = 1))
"""
TABLES_OF_POSTGRES = """
SELECT table_name FROM information_schema.columns
 WHERE table_schema = 'public' AND column_name = 'account_sid'
"""
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%account_sid%'"


class CallerCredentials(NamedTuple):
    """A caller's credentials."""

    name: str
    secret: str

    @property
    def header(self) -> str:
        """Return the value of the Authorization header."""
        return "Basic " + base64.b64encode(f"{self.name}:{self.secret}".encode()).decode()


class CallerRequest(NamedTuple):
    """One request: a query of a GET, or a form."""

    method: str
    path: str
    fields: Fields
    authorization: str | None
    idempotency_key: str | None = None

    def __str__(self) -> str:
        """Return the request as readable text."""
        return f"{self.method} {self.path} {dict(self.fields) or ''}".rstrip()


class ComparableResponse(NamedTuple):
    """A response: sorted headers, without those that differ from request to request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def comparable_headers(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers in lower case and sorted, without those that always differ."""
    lowered = ((name.lower(), value) for name, value in headers)
    return tuple(sorted(each for each in lowered if each[0] not in VOLATILE))


class MatrixTarget(Protocol):
    """The interface that the matrix requires of a target."""

    settle_seconds: float
    """Timeout of background work on an idle machine."""

    def send(self, request: CallerRequest) -> ComparableResponse:
        """Return the response to one request."""
        ...

    def make_account(self) -> CallerCredentials:
        """Create an account."""
        ...

    def suspend(self, account_sid: str) -> None:
        """Suspend an account."""
        ...

    def set_numbers(self, account_sid: str, *numbers: str) -> None:
        """Restrict an account to numbers."""
        ...

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Write a row that no operation can create."""
        ...

    def query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return rows of the database."""
        ...

    def pause(self) -> None:
        """Let the background work run for a moment."""
        ...


def rows_of(target: MatrixTarget, account_sid: str) -> Rows:
    """Return every row of an account."""
    found: Rows = {}
    for (table,) in target.query(TABLES):
        rows = target.query(f"SELECT * FROM {table} WHERE account_sid = ?1", account_sid)
        found[table] = set(rows)
    found["account"] = set(target.query("SELECT * FROM account WHERE sid = ?1", account_sid))
    return found


class UnfinishedWorkError(AssertionError):
    """Background work is still in progress after the timeout."""


def settle(target: MatrixTarget) -> None:
    """Wait until no background work is in progress. Raises UnfinishedWorkError."""
    watch = Stopwatch()
    while target.query(GOING_ON)[0][0]:
        if watch.is_over(target.settle_seconds):
            raise UnfinishedWorkError(f"work in progress after {target.settle_seconds} s")
        target.pause()


def _insert(table: str, row: Mapping[str, Any]) -> str:
    places = ", ".join(f"?{number}" for number in range(1, len(row) + 1))
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"


class ServerTarget:
    """A server process, accessed through its port."""

    settle_seconds = SETTLE_SECONDS_MAX

    def __init__(self, server: Server) -> None:
        """Send to a running server."""
        self.server = server
        self._api = Api(server.base_url, None, None)

    @cached_property
    def _database(self) -> Any:
        """The connection of all queries: the rows of an account are a query for each table."""
        return connect(self.server)

    def send(self, request: CallerRequest) -> ComparableResponse:
        """Return the response to one request."""
        reads = request.method == "GET"
        headers = {
            "Authorization": request.authorization,
            "Idempotency-Key": request.idempotency_key,
        }
        answer = self._api.request(
            request.method,
            request.path,
            headers={name: value for name, value in headers.items() if value is not None},
            query=request.fields if reads else None,
            form=None if reads else request.fields,
        )
        return ComparableResponse(
            answer.status, comparable_headers(answer.headers.items()), answer.body
        )

    def make_account(self) -> CallerCredentials:
        """Create an account."""
        return CallerCredentials(*self.server.make_account())

    def suspend(self, account_sid: str) -> None:
        """Suspend an account."""
        self.server.command("account", "status", account_sid, "suspended")

    def set_numbers(self, account_sid: str, *numbers: str) -> None:
        """Restrict an account to numbers."""
        self.server.set_numbers(account_sid, *numbers)

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Write a row that no operation can create."""
        with self._database as connection:
            connection.execute(_insert(table, row), tuple(row.values()))

    def query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return rows of the database."""
        if sql == TABLES and self.server.database:
            sql = TABLES_OF_POSTGRES
        found: list[tuple[Any, ...]] = self._database.execute(sql, arguments).fetchall()
        return found

    def pause(self) -> None:
        """Let the background work run for a moment."""
        time.sleep(0.02)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        if "_database" in vars(self):
            self._database.close()


class LocalTarget:
    """The application of a data folder, called without a network."""

    settle_seconds = SETTLE_SECONDS_MAX

    def __init__(self, data: Path) -> None:
        """Open the folder, and start the background work."""
        self._runner = asyncio.Runner()
        self.peer = "127.0.0.1"
        self.app = self._runner.run(self._open(data))

    async def _open(self, data: Path) -> App:
        app = await open_app(Settings(data=data, request_log="none"))
        app.dispatcher._poll_seconds = POLL_SECONDS
        await app.start()
        return app

    def close(self) -> None:
        """Stop the background work and close the folder."""
        self._runner.run(self.app.stop())
        self._runner.close()

    def send(self, request: CallerRequest) -> ComparableResponse:
        """Return the response to one request."""
        return self._runner.run(self._send(request))

    def list_numbers(self, account_sid: str) -> list[str]:
        """Return the numbers that an account is restricted to."""
        scope = Scope(account_sid)
        return self.write(lambda tx: account_store.list_account_numbers(tx, scope))

    def write(self, work: Work[T]) -> T:
        """Run a change in a separate transaction."""
        return self._runner.run(self.app.store.write(work))

    async def _send(self, request: CallerRequest) -> ComparableResponse:
        form_body = encode(request.fields).encode()
        query, body = (form_body, b"") if request.method == "GET" else (b"", form_body)
        request_target = request.path
        if query and "?" not in request_target:
            request_target += f"?{query.decode()}"
        headers = {b"host": b"127.0.0.1"}
        if body:
            headers[b"content-type"] = FORM_TYPE.encode()
        if request.authorization is not None:
            headers[b"authorization"] = request.authorization.encode()
        if request.idempotency_key is not None:
            headers[b"idempotency-key"] = request.idempotency_key.encode()
        answered = await send_request(
            self.app.server, request.method, request_target, headers, body, peer=self.peer
        )
        found = [(name.decode(), value.decode()) for name, value in answered.headers]
        return ComparableResponse(answered.status, comparable_headers(found), answered.body)

    def make_account(self) -> CallerCredentials:
        """Create an account."""
        sid, auth_token = self.app.random.sid(sids.ACCOUNT), self.app.random.token(16).hex()

        async def work(tx: Transaction) -> None:
            await account_setup.create_account(
                tx, self.app.vault, sid=sid, auth_token=auth_token, friendly_name="Account"
            )

        self.write(work)
        return CallerCredentials(sid, auth_token)

    def suspend(self, account_sid: str) -> None:
        """Suspend an account."""
        scope = Scope(account_sid)
        self.write(lambda tx: account_store.update_account_status(tx, scope, "suspended"))

    def set_numbers(self, account_sid: str, *numbers: str) -> None:
        """Restrict an account to numbers."""
        scope = Scope(account_sid)
        self.write(lambda tx: account_store.replace_account_numbers(tx, scope, list(numbers)))

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Write a row that no operation can create."""
        self.write(lambda tx: tx.run(_insert(table, row), *row.values()))

    def query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return rows of the database."""
        found: list[tuple[Any, ...]] = self._runner.run(
            self.app.store.read(lambda tx: tx.all(sql, *arguments))
        )
        return found

    def pause(self) -> None:
        """Let the background work run for a moment."""
        self._runner.run(asyncio.sleep(0.002))
