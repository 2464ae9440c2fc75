"""A server in test mode in this process, and separate accounts for each seed."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from parlour.resources import account_setup
from parlour.resources.table import operations
from parlour.testmode.seeds.checker import check_document
from parlour.testmode.seeds.text import read_document, write_yaml
from tests.events.in_process_server import ACCOUNT_SID, InProcessServer

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Self

    from parlour.testmode.seeds.seeder import LoadedSeed
    from parlour.testmode.wiring import TestMode

T = TypeVar("T")
ROWS = (
    "conversation",
    "participant",
    "message",
    "chat_user",
    "role",
    "service",
    "receipt",
    "event",
)
OPERATIONS = {each.operation_id: each for each in operations()}


class SeedServer:
    """Runs a server in a separate event loop; each method waits for its result."""

    def __init__(self, data: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.server = InProcessServer(data, test=True)
        self._numbers = count(2)

    def __enter__(self) -> Self:
        self.run(self.server.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.server.__aexit__())
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the event loop of the server."""
        return self.loop.run_until_complete(work)

    @property
    def mode(self) -> TestMode:
        """The test functions of the server."""
        mode = self.server.app.test_mode
        assert mode is not None
        return mode

    def new_account(self) -> str:
        """Create an empty account; return its SID."""
        sid = f"AC{next(self._numbers):032x}"
        app = self.server.app
        self.run(
            app.store.write(
                lambda tx: account_setup.create_account(
                    tx, app.vault, sid=sid, auth_token=sid, friendly_name="Empty"
                )
            )
        )
        return sid

    def load(self, document: Any, account_sid: str = ACCOUNT_SID) -> LoadedSeed:
        """Load the values of a document, or its text."""
        if isinstance(document, str):
            document = read_document(document.encode(), "application/yaml")
        return self.run(self.mode.seeder.load(account_sid, check_document(document)))

    def export(self, account_sid: str = ACCOUNT_SID, *, sids: bool = False) -> dict[str, Any]:
        """Return an account as a seed."""
        return self.run(self.mode.seeder.export(account_sid, with_sids=sids))

    def text(self, account_sid: str, *, sids: bool = False) -> str:
        """Return an account as the text of a seed."""
        return write_yaml(self.export(account_sid, sids=sids)).decode()

    def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.run(self.server.store.read(lambda tx: tx.all(sql, *arguments)))

    def counts(self, account_sid: str) -> dict[str, int]:
        """Return the number of rows of an account by table."""
        return {
            table: self.rows(f"SELECT COUNT(*) FROM {table} WHERE account_sid = $1", account_sid)[
                0
            ][0]
            for table in ROWS
        }

    def call(self, operation_id: str, form: Any = None, **path: str) -> Any:
        """Run an operation of the API as the first account."""
        return self.run(self.server.do(operation_id, form, **path))
