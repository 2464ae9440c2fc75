"""Prefetched reads on PostgreSQL: one round trip instead of one for each read of an action.

An action on the hot path reads the same rows each time: settings of its account, its conversation,
its subject. The reads of an action are recorded and generalized into a plan (``ReadPlans.learn``).
Before the next action of the same kind (operation and service), the plan is run as one statement.

**Prefetched rows are a cache, not an assumption.** The transaction looks up each read by text and
arguments, uses a prefetched row if there is one, and queries the server otherwise.

**Which reads are safe.** One statement reads one snapshot, and may then wait for a row lock. A
locked row is always its newest version; another row may be older than the lock. So only two types
of reads are prefetched: settings, which an action reads before its lock anyway, and rows that the
statement itself locks. The subject of an action, which the action will update, is locked slightly
earlier than by its UPDATE, and after the conversation, in the lock order of every action.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from parlour.store.dialect import locks_rows
from parlour.store.postgres.batching import renumbered
from parlour.store.statements import statement
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncpg import Connection

    from parlour.store.transaction import ConflictScope, Row

Arguments = tuple[object, ...]
Read = tuple[str, Arguments]
"""One statement and its arguments."""
Prefetched = dict[Read, "Row | None"]

COMBINED_READS: Final = "SELECT {columns} FROM (VALUES (1)) AS start{reads}"
ONE_READ: Final = (
    " LEFT JOIN LATERAL (SELECT TRUE AS found, q.* FROM ({read}) AS q{condition}) AS r{place}"
    " ON TRUE"
)
# Depending on the row that is locked before it forces the planner to keep the order of locks.
_AFTER_LOCK: Final = " WHERE r{place}.found"
_LOCK: Final = " FOR NO KEY UPDATE"
_ONE_ROW_BY_KEY: Final = re.compile(
    r"\s*SELECT [a-z_, ]+ FROM [a-z_]+ WHERE [a-z_]+ = \$\d+(?: AND [a-z_]+ = \$\d+)*\s*"
)


class RecordedRead(NamedTuple):
    """A read of an action before its first write; ``is_setting``: made by ``one_cached``."""

    sql: str
    arguments: Arguments
    is_setting: bool


class _Planned(NamedTuple):
    """A read of a plan: arguments are values, or fields of the ``ConflictScope``."""

    sql: str
    arguments: tuple[object, ...]
    is_setting: bool
    locks_subject: bool

    def of(self, conflict_scope: ConflictScope) -> Read:
        """Return the read that an action with this scope is expected to make."""
        # The key by which the transaction looks the read up: text and arguments.
        return self.sql, tuple(
            conflict_scope[each.place] if isinstance(each, _ScopeField) else each
            for each in self.arguments
        )


class _ScopeField(NamedTuple):
    """The index of an argument in the ``ConflictScope``."""

    place: int


_CONVERSATION: Final = _ScopeField(0)
_SUBJECT: Final = _ScopeField(1)

Plan = tuple[_Planned, ...]


class ReadPlans:
    """The plan of each kind of action; a bounded LRU cache."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[str, str, bool], Plan] = OrderedDict()
        # Combined texts by their reads; bounded by the combinations that the program makes.
        self._statements: dict[tuple[tuple[str, bool], ...], tuple[str, list[int]]] = {}

    def find(self, account_sid: str, conflict_scope: ConflictScope, *, fires: bool) -> Plan:
        """Return the plan for an action; empty if there is none."""
        key = (account_sid, conflict_scope.kind, fires)
        plan = self._plans.get(key)
        if plan is None:
            return ()
        self._plans.move_to_end(key)
        return plan

    def learn(
        self,
        account_sid: str,
        conflict_scope: ConflictScope,
        reads: Iterable[RecordedRead],
        *,
        fires: bool,
    ) -> None:
        """Store the reads of an action as the plan of its kind."""
        # Without a kind nothing identifies the next action with the same reads.
        if not conflict_scope.kind:
            return
        self._plans[account_sid, conflict_scope.kind, fires] = _plan(
            account_sid, conflict_scope, reads
        )
        if len(self._plans) > limits.READ_PLANS_MAX:
            self._plans.popitem(last=False)

    async def fetch(
        self, connection: Connection[Any], plan: Plan, conflict_scope: ConflictScope
    ) -> Prefetched:
        """Return the rows of a plan by read, in one round trip."""
        reads = [each.of(conflict_scope) for each in plan]
        shape = tuple((each.sql, each.locks_subject) for each in plan)
        if shape not in self._statements:
            self._statements[shape] = await _statement(connection, shape)
        text, widths = self._statements[shape]
        row = await connection.fetchrow(text, *(each for _, some in reads for each in some))
        assert row is not None
        # The columns of each read follow a flag, which is NULL if there was no row.
        values = tuple(row)
        found: Prefetched = {}
        start = 0
        for read, width in zip(reads, widths, strict=True):
            found[read] = values[start + 1 : start + width] if values[start] else None
            start += width
        return found


def _plan(account_sid: str, conflict_scope: ConflictScope, reads: Iterable[RecordedRead]) -> Plan:
    planned: list[_Planned] = []
    is_locked = False
    for read in dict.fromkeys(reads):
        arguments = tuple(
            _generalized(each, account_sid, conflict_scope) for each in read.arguments
        )
        # An argument that varies, such as an identity, cannot be predicted.
        if None in arguments:
            continue
        is_subject = _SUBJECT in arguments and not locks_rows(read.sql)
        if read.is_setting or locks_rows(read.sql):
            planned.append(_Planned(read.sql, arguments, read.is_setting, locks_subject=False))
            is_locked = is_locked or not read.is_setting
        # The subject only after the conversation: the lock order of every action.
        elif is_subject and is_locked and _ONE_ROW_BY_KEY.fullmatch(read.sql):
            planned.append(_Planned(read.sql, arguments, is_setting=False, locks_subject=True))
    return tuple(planned)


def _generalized(value: object, account_sid: str, conflict_scope: ConflictScope) -> object:
    """Return the argument as it is for any action of the kind; None if it varies."""
    if value == conflict_scope.conversation_sid:
        return _CONVERSATION
    if conflict_scope.subject_sid and value == conflict_scope.subject_sid:
        return _SUBJECT
    if value == account_sid or (isinstance(value, str) and sids.is_sid(sids.SERVICE, value)):
        return value
    return None


async def _statement(
    connection: Connection[Any], shape: tuple[tuple[str, bool], ...]
) -> tuple[str, list[int]]:
    """Return one statement for all reads, and the number of its columns for each."""
    joins, widths = [], []
    first_argument, locked_place = 0, 0
    for place, (sql, locks_subject) in enumerate(shape, 1):
        prepared = await connection.prepare(sql)
        # One more than the columns of the read: the flag.
        widths.append(len(prepared.get_attributes()) + 1)
        condition = statement(_AFTER_LOCK, place=str(locked_place)) if locked_place else ""
        read = renumbered(sql, first_argument) + (_LOCK if locks_subject else "")
        joins.append(statement(ONE_READ, read=read, condition=condition, place=str(place)))
        first_argument += len(prepared.get_parameters())
        # Later reads depend on this one, which the planner must then run first.
        if locks_subject or locks_rows(sql):
            locked_place = place
    columns = ", ".join(
        statement("r{place}.*", place=str(place + 1)) for place in range(len(shape))
    )
    return statement(COMBINED_READS, columns=columns, reads="".join(joins)), widths
