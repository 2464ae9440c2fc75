"""The audit log's view of a call: whether it is recorded, and with which subject.

A call is recorded if its caller has a principal, and it changes data or opens a conversation for an
operator. The line has no contents: principal, operation, subject, account.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from parlour.operations.caller import Principal
from parlour.store.transaction import ALL_ACCOUNTS
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.store.transaction import Store, Transaction

RecordCall = Callable[["Transaction", Principal, str, str, str], Awaitable[None]]
"""Inserts a line: transaction, principal, operation id, subject and account."""

_SID_CHARS: Final = 34


class AuditTrail:
    """Records the calls of principals."""

    def __init__(self, record_call: RecordCall) -> None:
        self._record_call = record_call

    @staticmethod
    def covers(call: Call[Any]) -> bool:
        """Return whether a call is recorded."""
        principal = call.caller.principal
        if principal is None:
            return False
        opens = principal.is_operator and call.operation.spec.opens_conversation
        return call.operation.writes or opens

    async def record(self, tx: Transaction, call: Call[Any], result: object = None) -> None:
        """Record a call in its transaction; ``result`` is the record that its action returned."""
        principal = call.caller.principal
        assert principal is not None
        await self._record_call(
            tx,
            principal,
            call.operation.operation_id,
            subject_of(call, result),
            call.caller.account_sid,
        )

    async def record_apart(self, store: Store, call: Call[Any]) -> None:
        """Record a call that the log covers, before it runs: it has no single transaction."""
        if self.covers(call):
            operation = call.operation
            account_sid = ALL_ACCOUNTS if operation.for_operators else call.caller.account_sid
            await store.write(lambda tx: self.record(tx, call), account_sid=account_sid)


async def _record_nothing(*_: object) -> None:
    raise AssertionError("a caller with a principal, and no audit log")


NO_TRAIL: Final = AuditTrail(_record_nothing)
"""Of a pipeline whose callers have no principals."""


def subject_of(call: Call[Any], result: object) -> str:
    """Return the SID of the result, or else the last object that the path names."""
    sid = getattr(result, "sid", None)
    if isinstance(sid, str) and len(sid) == _SID_CHARS:
        return sid
    names = list(call.path.values())
    return "" if not names else names[-1][: limits.CONSOLE_AUDIT_SUBJECT_CHARS_MAX]
