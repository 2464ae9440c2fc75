"""Actions on faults. They are in memory, so no transaction is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from parlour.operations.access import require_auth_token
from parlour.operations.call import Rows
from parlour.protocol.pages import page_of
from parlour.testmode.faults.checks import checked_rule
from parlour.testmode.faults.fault import NOW, SERVER, SOCKET, Fault
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.testmode.faults.parameters import CreateFault
    from parlour.testmode.faults.wiring import Faults


class FaultParts(Protocol):
    """The parts of test mode that the actions use."""

    @property
    def faults(self) -> Faults:
        """The faults of all accounts."""
        ...


async def create_fault(parts: FaultParts, call: Call[CreateFault]) -> Fault:
    """Arm a fault. Raises 403 for an API key with the scope *server*."""
    rule = checked_rule(call.parameters)
    if rule.scope == SERVER:
        require_auth_token(call.caller)
    fault = parts.faults.rules.create(call.scope.account_sid, rule)
    if rule.target == SOCKET and rule.when == NOW:
        parts.faults.act_now(fault)
    return fault


async def list_faults(parts: FaultParts, call: Call[NoParameters]) -> Rows:
    """Return a page of the faults of the account, the oldest first."""
    faults = parts.faults.rules.of_account(call.scope.account_sid)
    return Rows(page_of(faults, call.page_request, lambda each: each.number), order="number")


async def fetch_fault(parts: FaultParts, call: Call[NoParameters]) -> Fault:
    """Return a fault. Raises 404."""
    return _found(parts, call)


async def delete_fault(parts: FaultParts, call: Call[NoParameters]) -> None:
    """Remove a fault. Raises 404."""
    parts.faults.rules.remove(_found(parts, call))


async def delete_faults(parts: FaultParts, call: Call[NoParameters]) -> None:
    """Remove all faults of the account."""
    parts.faults.forget(call.scope.account_sid)


def _found(parts: FaultParts, call: Call[NoParameters]) -> Fault:
    sid = sids.parse(sids.FAULT, call.path["Sid"])
    fault = None if sid is None else parts.faults.rules.find(call.scope.account_sid, sid)
    if fault is None:
        raise call.not_found()
    return fault
