"""Permission checks of connected users.

An account may do everything and never comes here. A user has one role in its service, and in each
conversation that it takes part in one more; a permission counts if either of them grants it. An
operation says with ``permits`` what it asks of a user; one that says nothing refuses every user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.permissions import Permission

PERMISSION_DENIED: Final = 50107

# A role that was removed grants nothing, even before its holders are given another one.
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
# Read through the index of open conversations, whose number is bounded for each identity.
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
    """A user's place in one conversation: its participant, and what its role there grants."""

    participant_sid: str
    permissions: frozenset[str]


async def check_permission(tx: Transaction, call: Call[Any]) -> None:
    """Let a user's call through, as its operation says. Raises 50107, or what it does not see."""
    permits = call.operation.spec.permits
    if permits is None:
        raise ApiError(PERMISSION_DENIED)
    await permits(tx, call)


async def allow_any_user(_tx: Transaction, _call: Call[Any]) -> None:
    """Let every user of the service through."""


def caller_identity(call: Call[Any]) -> str:
    """The identity of the user who calls."""
    assert call.caller.identity is not None
    return call.caller.identity


async def membership_in(
    tx: Transaction, call: Call[Any], conversation_sid: str
) -> Membership | None:
    """The user's place in a conversation; None if it is no participant."""
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
    """Raise 50107 unless the user's role in the service, or in this place, grants one of these."""
    if membership is not None and not membership.permissions.isdisjoint(permissions):
        return
    if (await _granted_in_service(tx, call)).isdisjoint(permissions):
        raise ApiError(code)


async def require_shared_conversation(
    tx: Transaction, call: Call[Any], *permissions: Permission, identity: str
) -> None:
    """Raise 50107 unless a role grants one of these: in the service, or beside somebody.

    Beside somebody are the open conversations that this identity takes part in too.
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
    """Raise 50107 for a parameter that only an account may send: dates, authors, roles."""
    if not call.form.keys() <= set(wire_names):
        raise ApiError(PERMISSION_DENIED)
