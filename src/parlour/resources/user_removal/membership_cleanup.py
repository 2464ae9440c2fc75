"""Remove the memberships of a deleted user: open conversations at once, the rest in batches.

The open conversations of an identity are bounded, so their memberships are removed in the
transaction of the delete. Closed ones are unbounded: the first are removed at once too, and the
remainder is recorded with the time and the origin of the delete, for a background job. A user
created again with the same identity joins after that time, so its memberships are not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.conversations import store as conversation_store
from parlour.resources.participants import actions as participant_actions
from parlour.resources.participants import store as participant_store
from parlour.store.statements import insert, statement, values_of
from parlour.vocabulary import limits
from parlour.vocabulary.origin import Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.participants.store import Participant
    from parlour.resources.users.store import User
    from parlour.store.transaction import Transaction


class MembershipCleanup(msgspec.Struct, frozen=True):
    """The remaining work: memberships of an identity older than ``sequence``."""

    account_sid: str
    service_sid: str
    user_sid: str
    identity: str
    sequence: int
    source: str
    client_identity: str | None
    fires: int


INSERT = insert("departure", MembershipCleanup)
FETCH_NEXT = statement(
    # tidy: account-in-sql - read by the scheduler only, for every account
    "SELECT {columns} FROM departure ORDER BY sequence LIMIT 1",
    MembershipCleanup,
)
# tidy: account-in-sql - as above
EXISTS = "SELECT sequence FROM departure ORDER BY sequence LIMIT 1"
DELETE = "DELETE FROM departure WHERE account_sid = $1 AND user_sid = $2"


async def remove_memberships(tx: Transaction, scope: Scope, user: User) -> None:
    """Remove a user from its conversations, or record the remainder for the job."""
    for participant in await participant_store.list_open_memberships(tx, scope, user.identity):
        await _remove_membership(tx, scope, participant)
    cleanup = MembershipCleanup(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        user_sid=user.sid,
        identity=user.identity,
        sequence=tx.next_sequence(),
        source=tx.origin.source,
        client_identity=tx.origin.client_identity,
        fires=int(tx.origin.fires),
    )
    if await _remove_oldest_memberships(tx, cleanup):
        await tx.run(INSERT, *values_of(cleanup))


async def _remove_oldest_memberships(tx: Transaction, cleanup: MembershipCleanup) -> bool:
    """Remove a batch of the oldest memberships; return whether there may be more."""
    scope = Scope(cleanup.account_sid, cleanup.service_sid)
    origin = Origin(cleanup.source, cleanup.client_identity, bool(cleanup.fires))
    found = await participant_store.list_memberships_before(
        tx, scope, cleanup.identity, cleanup.sequence, limits.PURGE_ROWS_MAX
    )
    for participant in found:
        await _remove_membership(tx, scope, participant, origin)
    return len(found) == limits.PURGE_ROWS_MAX


async def _remove_membership(
    tx: Transaction, scope: Scope, found: Participant, origin: Origin | None = None
) -> None:
    """Lock the conversation of a membership, and remove the membership if it still exists."""
    if await conversation_store.find_conversation_sid(tx, scope, found.conversation_sid) is None:
        await participant_store.delete_participant_row(tx, scope, found.conversation_sid, found.sid)
        return
    participant = await participant_store.find_participant(
        tx, scope, found.conversation_sid, found.sid
    )
    if participant is not None:
        await participant_actions.remove_participant(tx, scope, participant, origin)


async def next_due_ms(tx: Transaction) -> int | None:
    """Return the current time if memberships remain to be removed, else None."""
    return None if await tx.one(EXISTS) is None else tx.now


async def step(tx: Transaction) -> None:
    """Continue the oldest cleanup."""
    row = await tx.one(FETCH_NEXT)
    if row is None:
        return
    cleanup = MembershipCleanup(*row)
    if not await _remove_oldest_memberships(tx, cleanup):
        await tx.run(DELETE, cleanup.account_sid, cleanup.user_sid)
