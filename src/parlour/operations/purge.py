"""Background deletion of the rows below a deleted service or conversation.

A service or conversation may own millions of rows. Its own row is deleted in the transaction of the
request, which makes everything below it unreachable, since SIDs are never reused. An entry of the
purge queue is inserted in the same transaction, and ``purge_step`` deletes the rows in batches. In
the same way the holders of a deleted role get the default role: the first batch at once, the others
in the background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.store import event_log
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

SERVICE: Final = "service"
CONVERSATION: Final = "conversation"
ROLE: Final = "role"

ENQUEUE = "INSERT INTO purge (account_sid, owner_sid, kind, sequence) VALUES ($1, $2, $3, $4)"
# tidy: account-in-sql - the queue is shared by all accounts
NEXT = "SELECT account_sid, owner_sid, kind, sequence FROM purge ORDER BY sequence LIMIT 1"
POSTPONE = "UPDATE purge SET sequence = $3 WHERE account_sid = $1 AND owner_sid = $2"
# tidy: account-in-sql - as above
CAP = "UPDATE purge SET sequence = $1 WHERE sequence > $1"
DEQUEUE = "DELETE FROM purge WHERE account_sid = $1 AND owner_sid = $2"
FREE_PAIRS = """
UPDATE participant SET holds_pair = 0
 WHERE account_sid = $1 AND service_sid = $2 AND holds_pair = 1
"""

# The parameters are the account, the owner and the batch size. Joins start with the first rows of
# the owner in a fixed order, so that no plan can start with the rows of the whole account.
_BELOW_CONVERSATION: Final = (
    """
    DELETE FROM receipt WHERE account_sid = $1 AND sid IN (
        SELECT receipt.sid FROM (
            SELECT sid FROM message WHERE account_sid = $1 AND conversation_sid = $2
             ORDER BY message_index LIMIT $3) AS first CROSS JOIN receipt
         WHERE receipt.account_sid = $1 AND receipt.message_sid = first.sid LIMIT $3)
    """,
    """
    DELETE FROM submission_part WHERE account_sid = $1 AND submission_sid IN (
        SELECT sid FROM submission WHERE account_sid = $1 AND conversation_sid = $2
         ORDER BY lane_order LIMIT $3)
    """,
    """
    DELETE FROM submission WHERE account_sid = $1 AND sid IN (
        SELECT sid FROM submission WHERE account_sid = $1 AND conversation_sid = $2
         ORDER BY lane_order LIMIT $3)
    """,
    # Their files are deleted first, then their rows: resources/media/garbage_collection.py.
    """
    UPDATE media SET is_removed = 1 WHERE account_sid = $1 AND sid IN (
        SELECT media.sid FROM (
            SELECT sid FROM message WHERE account_sid = $1 AND conversation_sid = $2
             ORDER BY message_index LIMIT $3) AS first CROSS JOIN media
         WHERE media.account_sid = $1 AND media.message_sid = first.sid
           AND media.is_removed = 0 LIMIT $3)
    """,
    """
    DELETE FROM channel_metadata WHERE account_sid = $1 AND message_sid IN (
        SELECT message_sid FROM channel_metadata
         WHERE account_sid = $1 AND conversation_sid = $2 ORDER BY sequence LIMIT $3)
    """,
    """
    DELETE FROM message WHERE account_sid = $1 AND conversation_sid = $2 AND message_index IN (
        SELECT message_index FROM message
         WHERE account_sid = $1 AND conversation_sid = $2 ORDER BY message_index LIMIT $3)
    """,
)
_BELOW_SERVICE: Final = (
    """
    UPDATE media SET is_removed = 1 WHERE account_sid = $1 AND sid IN (
        SELECT sid FROM media WHERE account_sid = $1 AND service_sid = $2
           AND message_sid IS NULL AND is_removed = 0 LIMIT $3)
    """,
    """
    DELETE FROM participant WHERE account_sid = $1 AND sid IN (
        SELECT participant.sid FROM (
            SELECT sid FROM conversation WHERE account_sid = $1 AND service_sid = $2
             ORDER BY created_order, sid LIMIT $3) AS first CROSS JOIN participant
         WHERE participant.account_sid = $1 AND participant.conversation_sid = first.sid LIMIT $3)
    """,
    """
    DELETE FROM scoped_webhook WHERE account_sid = $1 AND sid IN (
        SELECT scoped_webhook.sid FROM (
            SELECT sid FROM conversation WHERE account_sid = $1 AND service_sid = $2
             ORDER BY created_order, sid LIMIT $3) AS first CROSS JOIN scoped_webhook
         WHERE scoped_webhook.account_sid = $1
           AND scoped_webhook.conversation_sid = first.sid LIMIT $3)
    """,
    """
    DELETE FROM chat_user WHERE account_sid = $1 AND sid IN (
        SELECT sid FROM chat_user WHERE account_sid = $1 AND service_sid = $2 LIMIT $3)
    """,
    """
    DELETE FROM role WHERE account_sid = $1 AND sid IN (
        SELECT sid FROM role WHERE account_sid = $1 AND service_sid = $2 LIMIT $3)
    """,
    """
    DELETE FROM push_binding WHERE account_sid = $1 AND sid IN (
        SELECT sid FROM push_binding WHERE account_sid = $1 AND service_sid = $2 LIMIT $3)
    """,
)
# Rows of a deleted service have no default role; they are deleted with their service.
_HOLDERS_OF_ROLE: Final = (
    """
    UPDATE chat_user SET role_sid = (
        SELECT default_chat_service_role_sid FROM service_configuration
         WHERE account_sid = $1 AND service_sid = chat_user.service_sid)
     WHERE account_sid = $1 AND sid IN (
        SELECT chat_user.sid FROM chat_user JOIN service_configuration
            ON service_configuration.account_sid = $1
           AND service_configuration.service_sid = chat_user.service_sid
         WHERE chat_user.account_sid = $1 AND chat_user.role_sid = $2 LIMIT $3)
    """,
    """
    UPDATE participant SET role_sid = (
        SELECT default_conversation_role_sid FROM service_configuration
         WHERE account_sid = $1 AND service_sid = participant.service_sid)
     WHERE account_sid = $1 AND sid IN (
        SELECT participant.sid FROM participant JOIN service_configuration
            ON service_configuration.account_sid = $1
           AND service_configuration.service_sid = participant.service_sid
         WHERE participant.account_sid = $1 AND participant.role_sid = $2 LIMIT $3)
    """,
)
_STATEMENTS: Final = {
    CONVERSATION: _BELOW_CONVERSATION,
    SERVICE: _BELOW_SERVICE,
    ROLE: _HOLDERS_OF_ROLE,
}
_CONVERSATION_OF = """
SELECT sid FROM conversation WHERE account_sid = $1 AND service_sid = $2
 ORDER BY created_order, sid LIMIT $3
"""
_DELETE_CONVERSATION = "DELETE FROM conversation WHERE account_sid = $1 AND sid = $2"
_SINGLETONS: Final = (
    "DELETE FROM service_configuration WHERE account_sid = $1 AND service_sid = $2",
    "DELETE FROM service_notification WHERE account_sid = $1 AND service_sid = $2",
    "DELETE FROM pending_pair WHERE account_sid = $1 AND service_sid = $2",
    "DELETE FROM departure WHERE account_sid = $1 AND service_sid = $2",
)


async def enqueue_service(tx: Transaction, scope: Scope) -> None:
    """Enqueue all rows of a deleted service; free its address pairs now."""
    await tx.run(FREE_PAIRS, scope.account_sid, scope.service_sid)
    for statement in _SINGLETONS:
        await tx.run(statement, scope.account_sid, scope.service_sid)
    await tx.run(ENQUEUE, scope.account_sid, scope.service_sid, SERVICE, tx.now * 1000)


async def enqueue_conversation(tx: Transaction, scope: Scope, conversation_sid: str) -> None:
    """Enqueue the messages of a deleted conversation."""
    await tx.run(ENQUEUE, scope.account_sid, conversation_sid, CONVERSATION, tx.now * 1000)


async def enqueue_role(tx: Transaction, scope: Scope, role_sid: str) -> None:
    """Give the holders of a deleted role the default; enqueue it if there are many."""
    remain = False
    for statement in _HOLDERS_OF_ROLE:
        count = await tx.run(statement, scope.account_sid, role_sid, limits.PURGE_ROWS_MAX)
        remain = remain or count == limits.PURGE_ROWS_MAX
    if remain:
        await tx.run(ENQUEUE, scope.account_sid, role_sid, ROLE, tx.now * 1000)


async def next_due_ms(tx: Transaction) -> int | None:
    """Return when the oldest entry is due; None if the queue is empty."""
    entry = await tx.one(NEXT)
    return None if entry is None else _due_ms(tx, entry[2], entry[3])


def _due_ms(tx: Transaction, kind: str, sequence: int) -> int:
    """Return when no transaction can see the owner any more, and add rows below it.

    A transaction that adds to a conversation or assigns a role locks it, so only services wait.
    """
    if kind != SERVICE:
        return min(int(sequence // 1000), tx.now)  # The clock may have been set back.
    return int(sequence // 1000) + tx.overlap_ms


async def cap_due_dates(tx: Transaction) -> None:
    """Limit due times to the current one, after the clock was set back."""
    await tx.run(CAP, tx.now * 1000)


async def purge_step(tx: Transaction) -> bool:
    """Delete a batch of rows of the oldest entry; return whether more may remain."""
    entry = await tx.one(NEXT)
    if entry is None:
        return False
    account_sid, owner_sid, kind, sequence = entry
    if _due_ms(tx, kind, sequence) > tx.now:
        return False
    scope = Scope(account_sid, owner_sid)
    if kind == SERVICE and await event_log.webhook_change_is_pending(tx, scope, owner_sid):
        # The webhook intake has not passed the events from before the delete yet.
        postponed_ms = tx.now + limits.PURGE_POSTPONED_MS
        await tx.run(POSTPONE, account_sid, owner_sid, postponed_ms * 1000)
        return False
    for statement in _STATEMENTS[kind]:
        if await tx.run(statement, account_sid, owner_sid, limits.PURGE_ROWS_MAX):
            return True
    if kind == SERVICE and await _conversations(tx, account_sid, owner_sid):
        return True
    await tx.run(DEQUEUE, account_sid, owner_sid)
    return True


async def _conversations(tx: Transaction, account_sid: str, service_sid: str) -> bool:
    """Enqueue a batch of a service's conversations; return whether there were any."""
    found = await tx.all(_CONVERSATION_OF, account_sid, service_sid, limits.PURGE_ROWS_MAX)
    for (sid,) in found:
        await tx.run(_DELETE_CONVERSATION, account_sid, sid)
        await tx.run(ENQUEUE, account_sid, sid, CONVERSATION, tx.now * 1000)
    return bool(found)
