"""Participants as realtime maps: entries by key, each with the user of its identity.

The keys of a conversation's roster are participant sids; a user's own map is keyed by
conversation sids. Both are read in key order, in either direction, from a key that need not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from parlour.resources.participants.store import Participant
from parlour.store.statements import statement

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_COLUMNS = ", ".join(f"participant.{name}" for name in Participant.__struct_fields__)
_MEMBERS = """
SELECT {shown}, chat_user.sid
  FROM participant
  LEFT JOIN chat_user ON chat_user.account_sid = participant.account_sid
                     AND chat_user.service_sid = participant.service_sid
                     AND chat_user.identity = participant.identity
 WHERE participant.account_sid = $1 AND participant.conversation_sid = $2
"""
LIST_MEMBERS = statement(
    _MEMBERS + " AND participant.sid >= $3 ORDER BY participant.sid LIMIT $4", shown=_COLUMNS
)
LIST_MEMBERS_DOWN = statement(
    _MEMBERS + " AND participant.sid <= $3 ORDER BY participant.sid DESC LIMIT $4",
    shown=_COLUMNS,
)
_MEMBERSHIPS = (
    "SELECT {columns} FROM participant"
    " WHERE account_sid = $1 AND service_sid = $2 AND identity = $3"
)
LIST_MEMBERSHIPS = statement(
    _MEMBERSHIPS + " AND conversation_sid >= $4 ORDER BY conversation_sid LIMIT $5", Participant
)
LIST_MEMBERSHIPS_DOWN = statement(
    _MEMBERSHIPS + " AND conversation_sid <= $4 ORDER BY conversation_sid DESC LIMIT $5",
    Participant,
)


class Member(NamedTuple):
    """A participant, and its user's sid if it has one."""

    participant: Participant
    user_sid: str | None


async def list_members_from(
    tx: Transaction, scope: Scope, conversation_sid: str, sid: str, count: int, *, descending: bool
) -> list[Member]:
    """Return participants of a conversation, starting at a sid."""
    listing = LIST_MEMBERS_DOWN if descending else LIST_MEMBERS
    rows = await tx.all(listing, scope.account_sid, conversation_sid, sid, count)
    return [Member(Participant(*row[:-1]), row[-1]) for row in rows]


async def list_memberships_from(
    tx: Transaction, scope: Scope, identity: str, sid: str, count: int, *, descending: bool
) -> list[Participant]:
    """Return the memberships of a user, starting at a conversation's sid."""
    listing = LIST_MEMBERSHIPS_DOWN if descending else LIST_MEMBERSHIPS
    rows = await tx.all(listing, scope.account_sid, scope.service_sid, identity, sid, count)
    return [Participant(*row) for row in rows]
