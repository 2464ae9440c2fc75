"""A page of summaries takes as many statements as its size needs, not as many as it has rows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from parlour.resources.conversation_summaries import store as conversation_summary_store
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

SCOPE = Scope("AC1")


class StatementRecorder:
    """A transaction that returns no rows, and records its statements."""

    def __init__(self) -> None:
        """Start without any."""
        self.statements: list[tuple[str, tuple[object, ...]]] = []

    async def all(self, sql: str, *arguments: object) -> list[Any]:
        """Record a statement."""
        self.statements.append((sql, arguments))
        return []


@pytest.mark.parametrize(("rows", "statements"), [(1, 1), (51, 1), (52, 2), (201, 4)])
def test_a_page_takes_one_statement_for_each_51_rows(rows: int, statements: int) -> None:
    for read in (
        conversation_summary_store.count_participants,
        conversation_summary_store.last_messages,
    ):
        recorder = StatementRecorder()
        sids = [f"CH{number}" for number in range(rows)]
        found = asyncio.run(read(cast("Transaction", recorder), SCOPE, sids))
        assert found == {}
        assert len(recorder.statements) == statements
        # The same text each time, so that it is prepared once.
        assert len({sql for sql, _ in recorder.statements}) == 1
        asked = [sid for _, arguments in recorder.statements for sid in arguments[1:]]
        assert list(dict.fromkeys(asked)) == sids
        assert {arguments[0] for _, arguments in recorder.statements} == {"AC1"}
