"""Intercepts every statement at one seam: to record it, to change it, or to run it twice."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from parlour.store.dialect import for_sqlite
from parlour.store.sqlite import transaction as sqlite_tx
from parlour.store.sqlite.transaction import SqliteReadTransaction, SqliteWriteTransaction
from parlour.vocabulary import limits
from tests.security.tenants.identical_sids import differs
from tests.security.tenants.statement_mutants import Mutant, is_inner, mutants_of, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    import apsw

ASKED_MIN = 3
"""Runs of a mutant, once it is caught, after which it is not run again."""
RUNS_MAX = 5_000
"""Runs of a mutant in a stage, of which none has more than a thousand requests."""
SHADOWED_MAX = 20
"""Number of runs next to a twin with the same sids; each copies the database."""


@contextmanager
def watched() -> Iterator[set[str]]:
    """Record the statements that run in this context."""
    used: set[str] = set()

    def translated(sql: str) -> str:
        used.add(sql)
        return for_sqlite(sql)

    with _translating(translated):
        yield used


@contextmanager
def mutated(mutant: Mutant) -> Iterator[None]:
    """Replace one statement by a mutant; too many runs of it raise an error.

    A loop that deletes the rows that it finds does not end if it finds another account's.
    """
    runs = itertools.count(1)

    def translated(sql: str) -> str:
        if sql != mutant.statement.text:
            return for_sqlite(sql)
        assert next(runs) <= RUNS_MAX, f"{mutant.name} runs without end"
        return for_sqlite(mutant.text)

    with _translating(translated):
        yield


@contextmanager
def _translating(translated: Any) -> Iterator[None]:
    # Cached settings are not read again, and here every statement has to run.
    with (
        mock.patch.object(sqlite_tx, "for_sqlite", translated),
        mock.patch.object(limits, "SETTINGS_CACHED_MAX", 0),
    ):
        yield


class Probe:
    """Runs each statement a second time for an account without rows, and rolls it back.

    The statement itself must then find nothing; its mutant, which lacks just that condition, must
    find something at least once.
    """

    def __init__(self) -> None:
        """Start without recorded statements."""
        self._mutants = {each.text: mutants_of(each) for each in statements()}
        self._asked: Counter[Mutant] = Counter()
        self._shadowed: Counter[Mutant] = Counter()
        self.seen: set[str] = set()
        self.leaks: set[str] = set()
        self.caught: set[Mutant] = set()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Run the check before every statement."""
        originals = []
        for owner in (SqliteReadTransaction, SqliteWriteTransaction):
            for name in ("one", "all", "run"):
                originals.append((owner, name, getattr(owner, name)))
                setattr(owner, name, self._asking_first(getattr(owner, name)))
        try:
            with mock.patch.object(limits, "SETTINGS_CACHED_MAX", 0):
                yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)

    def _asking_first(self, original: Any) -> Any:
        probe = self

        async def checked(tx: Any, sql: str, *arguments: object) -> Any:
            probe.run_mutants(tx._connection, sql, arguments)
            return await original(tx, sql, *arguments)

        return checked

    def run_mutants(
        self, connection: apsw.Connection, sql: str, arguments: tuple[object, ...]
    ) -> None:
        """Run the statement for an account without rows, unchanged and mutated."""
        self.seen.add(sql)
        mutants = self._mutants.get(sql, ())
        for mutant in mutants:
            self._asked[mutant] += 1
            if mutant in self.caught and self._asked[mutant] > ASKED_MIN:
                continue
            if mutant.argument is not None and not sql.lstrip().startswith("INSERT"):
                self._run_for_empty_account(connection, mutant, arguments)
            if mutant not in self.caught and not is_inner(mutant):
                self._run_next_to_shadow(connection, mutant, arguments)

    def _run_for_empty_account(
        self, connection: apsw.Connection, mutant: Mutant, arguments: tuple[object, ...]
    ) -> None:
        assert mutant.argument is not None
        of_no_account = list(arguments)
        of_no_account[mutant.argument - 1] = _empty_account(mutant)
        if _finds(connection, mutant.statement.text, of_no_account):
            self.leaks.add(mutant.name)
        if _finds(connection, mutant.text, of_no_account):
            self.caught.add(mutant)

    def _run_next_to_shadow(
        self, connection: apsw.Connection, mutant: Mutant, arguments: tuple[object, ...]
    ) -> None:
        sql = mutant.statement.text
        if self._shadowed[mutant] >= SHADOWED_MAX or not _finds(connection, sql, [*arguments]):
            return
        self._shadowed[mutant] += 1
        whose = {
            arguments[each.argument - 1]
            for each in self._mutants[sql]
            if each.argument is not None and each.column != "service_sid"
        }
        (account_sid,) = whose
        if differs(connection, mutant, arguments, str(account_sid)):
            self.caught.add(mutant)


def _empty_account(mutant: Mutant) -> str:
    return ("IS" if mutant.column == "service_sid" else "AC") + secrets.token_hex(16)


def _finds(connection: apsw.Connection, sql: str, arguments: list[object]) -> bool:
    """Return whether a statement finds rows, or a number other than 0, or changes rows."""
    cursor = connection.cursor()
    if sql.lstrip().startswith(("SELECT", "WITH")):
        rows = cursor.execute(for_sqlite(sql), arguments).fetchall()
        return any(any(row) for row in rows)
    cursor.execute("SAVEPOINT probe")
    try:
        cursor.execute(for_sqlite(sql), arguments)
        return connection.changes() > 0
    except Exception as error:  # A mutant may violate a key of the table: it found rows.
        if "UNIQUE" not in str(error):
            raise
        return True
    finally:
        cursor.execute("ROLLBACK TO probe")
        cursor.execute("RELEASE probe")
