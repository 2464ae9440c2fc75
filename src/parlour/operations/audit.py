"""The audit log's view of a call: whether it is recorded, and with which subject.

A call is recorded if its caller has a principal, and it changes data or opens a conversation for an
operator. The line has no contents: principal, operation, subject, account.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from parlour.operations.caller import Principal
from parlour.store.transaction import ALL_ACCOUNTS
from parlour.vocabulary import limits, sids

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
        # The later pages of a list belong to its first one, which has made their tokens.
        opens = call.operation.spec.opens_conversation and "PageToken" not in call.form
        return call.operation.writes or (principal.is_operator and opens)

    async def record(self, tx: Transaction, call: Call[Any], result: object = None) -> None:
        """Record a call in its transaction; ``result`` is the record that its action returned."""
        principal = call.caller.principal
        assert principal is not None
        subject = subject_of(call, result)
        await self._record_call(
            tx,
            principal,
            call.operation.operation_id,
            subject,
            call.caller.account_sid or _account_of(call, subject),
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


def _account_of(call: Call[Any], subject: str) -> str:
    """Return the account that an operation of operators is about; empty if there is none."""
    for named in (call.path.get("Sid", ""), subject):
        if sids.is_sid(sids.ACCOUNT, named):
            return sids.normal(named)
    return ""
