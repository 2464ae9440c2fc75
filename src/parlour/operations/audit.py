"""The audit log's view of a call: whether it is recorded, and with which subject.

A call is recorded if its caller has a principal, and it changes data or shows an operator what
users wrote. The line has no contents: principal, operation, subject, account. Such a read is
recorded once within CONSOLE_AUDIT_READ_SECONDS for each session, operation and path, by each
process: a page reads its objects again whenever they change.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from parlour.operations.caller import Principal
from parlour.store.transaction import ALL_ACCOUNTS
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.store.transaction import Store, Transaction, Work

RecordCall = Callable[["Transaction", Principal, str, str, str], Awaitable[None]]
"""Inserts a line: transaction, principal, operation id, subject and account."""

T = TypeVar("T")

_SID_CHARS: Final = 34
_READ_MS: Final = limits.CONSOLE_AUDIT_READ_SECONDS * 1000


class AuditTrail:
    """Records the calls of principals."""

    def __init__(self, record_call: RecordCall, monotonic_ms: Callable[[], float]) -> None:
        self._record_call = record_call
        self._monotonic_ms = monotonic_ms
        self._reads: OrderedDict[tuple[str, ...], float] = OrderedDict()
        """When each read was recorded that need not be recorded again, the oldest first."""

    def covers(self, call: Call[Any]) -> bool:
        """Return whether a call is recorded."""
        principal = call.caller.principal
        if principal is None:
            return False
        if call.operation.is_audited_change:
            return True
        # The later pages of a list belong to its first one, which has made their tokens.
        is_read = call.operation.spec.is_recorded_read and "PageToken" not in call.form
        return principal.is_operator and is_read and not self._is_recent(principal, call)

    def _is_recent(self, principal: Principal, call: Call[Any]) -> bool:
        recorded_ms = self._reads.get(_key_of(principal, call))
        return recorded_ms is not None and self._monotonic_ms() < recorded_ms + _READ_MS

    def note_read(self, call: Call[Any]) -> None:
        """Omit further lines about a read for CONSOLE_AUDIT_READ_SECONDS: one was committed."""
        principal = call.caller.principal
        if principal is None or call.operation.is_audited_change:
            return
        key = _key_of(principal, call)
        self._reads[key] = self._monotonic_ms()
        self._reads.move_to_end(key)
        if len(self._reads) > limits.CONSOLE_AUDIT_READS_MAX:
            self._reads.popitem(last=False)

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
            self.note_read(call)

    async def read(self, store: Store, call: Call[Any], action: Work[T]) -> T:
        """Run the action of a call that only reads, and record the call in the same transaction."""
        account_sid = call.scope.account_sid
        if not self.covers(call):
            return await store.read(action, account_sid=account_sid)

        async def recorded(tx: Transaction) -> T:
            result = await action(tx)
            await self.record(tx, call, result)
            return result

        result = await store.write(recorded, account_sid=account_sid)
        self.note_read(call)
        return result


async def _record_nothing(*_: object) -> None:
    raise AssertionError("a caller with a principal, and no audit log")


NO_TRAIL: Final = AuditTrail(_record_nothing, lambda: 0.0)
"""Of a pipeline whose callers have no principals."""


def _key_of(principal: Principal, call: Call[Any]) -> tuple[str, ...]:
    operation_id, account_sid = call.operation.operation_id, call.caller.account_sid
    named = (each[: limits.CONSOLE_AUDIT_SUBJECT_CHARS_MAX] for each in call.path.values())
    return (principal.name, principal.session_sid, operation_id, account_sid, *named)


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
