"""Permission checks of connected users.

An account is allowed everything and is not checked. A user has one role in its service, and one
more in each conversation in which it participates; a permission is granted by either. An operation
declares its check as ``permits``; an operation without one is forbidden to every user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.caller import Caller
    from parlour.operations.operation import Operation
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.permissions import Permission

PERMISSION_DENIED: Final = 50107

# A deleted role grants nothing, even before its holders have another one.
MEMBERSHIP = """
SELECT participant.sid, role.permissions FROM participant LEFT JOIN role
    ON role.account_sid = $1 AND role.service_sid = $2 AND role.sid = participant.role_sid
 WHERE participant.account_sid = $1 AND participant.service_sid = $2
   AND participant.conversation_sid = $3 AND participant.identity = $4
"""
SERVICE_ROLE = """
SELECT role.permissions FROM chat_user JOIN role
    ON role.account_sid = $1 AND role.service_sid = $2 AND role.sid = chat_user.role_sid
 WHERE chat_user.account_sid = $1 AND chat_user.service_sid = $2 AND chat_user.identity = $3
"""
# Read through the index of open conversations, which are limited for each identity.
SHARED_CONVERSATION_ROLES = """
SELECT DISTINCT role.permissions FROM participant JOIN role
    ON role.account_sid = $1 AND role.service_sid = $2 AND role.sid = participant.role_sid
 WHERE participant.account_sid = $1 AND participant.service_sid = $2
   AND participant.identity = $3 AND participant.is_open = 1
   AND EXISTS (SELECT 1 FROM participant AS beside
                WHERE beside.account_sid = $1 AND beside.identity = $4
                  AND beside.conversation_sid = participant.conversation_sid)
 LIMIT 1000
"""

_names = msgspec.json.Decoder(frozenset[str]).decode


class Membership(msgspec.Struct, frozen=True):
    """A user's participant in one conversation, and the permissions of its role there."""

    participant_sid: str
    permissions: frozenset[str]


def require_auth_token(caller: Caller) -> None:
    """Raise 20403 for an API key: the operation needs the auth token of the account."""
    if caller.identity is None and sids.is_sid(sids.API_KEY, caller.login):
        raise ApiError(20403)


def require_principal(operation: Operation, caller: Caller, resource: str) -> None:
    """Check an operation against the kind and the role of its caller.

    Raises 404 for an operation of operators without an operator, or of accounts without an account,
    and 403 for a change by a principal that may not change anything.
    """
    if operation.for_operators != (not caller.account_sid):
        raise ApiError.not_found(resource)
    principal = caller.principal
    if operation.for_operators and (principal is None or not principal.is_operator):
        raise ApiError.not_found(resource)
    if principal is not None and operation.writes and not principal.may_change:
        text = f"The role {principal.role} of this operator may not change anything."
        raise ApiError(20403, text)


async def check_permission(tx: Transaction, call: Call[Any]) -> None:
    """Run the check of the call's operation. Raises 50107, or 404 for an invisible object."""
    permits = call.operation.spec.permits
    if permits is None:
        raise ApiError(PERMISSION_DENIED)
    await permits(tx, call)


async def allow_any_user(_tx: Transaction, _call: Call[Any]) -> None:
    """Allow every user of the service."""


def caller_identity(call: Call[Any]) -> str:
    """Return the identity of the calling user."""
    assert call.caller.identity is not None
    return call.caller.identity


async def membership_in(
    tx: Transaction, call: Call[Any], conversation_sid: str
) -> Membership | None:
    """Return the user's membership in a conversation; None if it is not a participant."""
    scope = call.scope
    row = await tx.one(
        MEMBERSHIP, scope.account_sid, scope.service_sid, conversation_sid, caller_identity(call)
    )
    if row is None:
        return None
    return Membership(row[0], frozenset() if row[1] is None else _names(row[1]))


async def require_permission(
    tx: Transaction,
    call: Call[Any],
    *permissions: Permission,
    membership: Membership | None = None,
    code: int = PERMISSION_DENIED,
) -> None:
    """Raise 50107 unless the role in the service or in the membership grants one of these."""
    if membership is not None and not membership.permissions.isdisjoint(permissions):
        return
    if (await _granted_in_service(tx, call)).isdisjoint(permissions):
        raise ApiError(code)


async def require_shared_conversation(
    tx: Transaction, call: Call[Any], *permissions: Permission, identity: str
) -> None:
    """Raise 50107 unless a role in the service or in a shared conversation grants one of these.

    Shared are the open conversations in which ``identity`` participates too.
    """
    scope = call.scope
    if not (await _granted_in_service(tx, call)).isdisjoint(permissions):
        return
    rows = await tx.all(
        SHARED_CONVERSATION_ROLES,
        scope.account_sid,
        scope.service_sid,
        caller_identity(call),
        identity,
    )
    if all(_names(row[0]).isdisjoint(permissions) for row in rows):
        raise ApiError(PERMISSION_DENIED)


async def _granted_in_service(tx: Transaction, call: Call[Any]) -> frozenset[str]:
    scope = call.scope
    row = await tx.one(SERVICE_ROLE, scope.account_sid, scope.service_sid, caller_identity(call))
    return frozenset() if row is None else _names(row[0])


def allow_only(call: Call[Any], *wire_names: str) -> None:
    """Raise 50107 for any other parameter, as only an account may send: dates, authors, roles."""
    if not call.form.keys() <= set(wire_names):
        raise ApiError(PERMISSION_DENIED)
