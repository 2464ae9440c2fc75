"""Removing what is below something that is gone: at once out of reach, in the background off disk.

A deleted service or conversation may own millions of rows. Its own row goes in the transaction of
the delete, so nothing below it can be reached any more (sids are never given twice); the rest is
queued here and deleted in steps of bounded size by ``purge_step``. In the same way the holders of a
deleted role get another one: the first of them at once, the rest in steps.
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
# tidy: account-in-sql - what is gone is removed, whose ever it was
NEXT = "SELECT account_sid, owner_sid, kind, sequence FROM purge ORDER BY sequence LIMIT 1"
POSTPONE = "UPDATE purge SET sequence = $3 WHERE account_sid = $1 AND owner_sid = $2"
# tidy: account-in-sql - as above
CAP = "UPDATE purge SET sequence = $1 WHERE sequence > $1"
DEQUEUE = "DELETE FROM purge WHERE account_sid = $1 AND owner_sid = $2"
FREE_PAIRS = """
UPDATE participant SET holds_pair = 0
 WHERE account_sid = $1 AND service_sid = $2 AND holds_pair = 1
"""

# Each takes the account, the owner and how many rows at most. Those that join begin with the first
# few rows of the owner, in one order: so no plan can begin with the rows of the whole account.
_BELOW_CONVERSATION: Final = (
    """
    DELETE FROM receipt WHERE account_sid = $1 AND sid IN (
        SELECT receipt.sid FROM (
            SELECT sid FROM message WHERE account_sid = $1 AND conversation_sid = $2
             ORDER BY message_index LIMIT $3) AS first CROSS JOIN receipt
         WHERE receipt.account_sid = $1 AND receipt.message_sid = first.sid LIMIT $3)
    """,
    # Their files go first, and then their rows: resources/media/garbage_collection.py.
    """
    UPDATE media SET is_removed = 1 WHERE account_sid = $1 AND sid IN (
        SELECT media.sid FROM (
            SELECT sid FROM message WHERE account_sid = $1 AND conversation_sid = $2
             ORDER BY message_index LIMIT $3) AS first CROSS JOIN media
         WHERE media.account_sid = $1 AND media.message_sid = first.sid
           AND media.is_removed = 0 LIMIT $3)
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
# Rows of a service that is gone have no default to take; they go with their service.
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
    """Note that everything of this service is to go; free its address pairs now."""
    await tx.run(FREE_PAIRS, scope.account_sid, scope.service_sid)
    for statement in _SINGLETONS:
        await tx.run(statement, scope.account_sid, scope.service_sid)
    await tx.run(ENQUEUE, scope.account_sid, scope.service_sid, SERVICE, tx.now * 1000)


async def enqueue_conversation(tx: Transaction, scope: Scope, conversation_sid: str) -> None:
    """Note that the messages of this conversation are to go."""
    await tx.run(ENQUEUE, scope.account_sid, conversation_sid, CONVERSATION, tx.now * 1000)


async def enqueue_role(tx: Transaction, scope: Scope, role_sid: str) -> None:
    """Give the holders of this role the default of their service; note it if they are many."""
    remain = False
    for statement in _HOLDERS_OF_ROLE:
        count = await tx.run(statement, scope.account_sid, role_sid, limits.PURGE_ROWS_MAX)
        remain = remain or count == limits.PURGE_ROWS_MAX
    if remain:
        await tx.run(ENQUEUE, scope.account_sid, role_sid, ROLE, tx.now * 1000)


async def next_due_ms(tx: Transaction) -> int | None:
    """When the oldest note may be worked off, if there is one."""
    note = await tx.one(NEXT)
    return None if note is None else _due_ms(tx, note[2], note[3])


def _due_ms(tx: Transaction, kind: str, sequence: int) -> int:
    """When nobody is left who may still see the owner, and add to what is below it.

    Who adds to a conversation, or gives a role, holds it: only services take time.
    """
    if kind != SERVICE:
        return min(int(sequence // 1000), tx.now)  # The clock may have been set back.
    return int(sequence // 1000) + tx.overlap_ms


async def cap_due_dates(tx: Transaction) -> None:
    """Have nothing wait for a time of a clock that was set back."""
    await tx.run(CAP, tx.now * 1000)


async def purge_step(tx: Transaction) -> bool:
    """Remove up to ``PURGE_ROWS_MAX`` rows of the oldest note; whether more may remain."""
    note = await tx.one(NEXT)
    if note is None:
        return False
    account_sid, owner_sid, kind, sequence = note
    if _due_ms(tx, kind, sequence) > tx.now:
        return False
    scope = Scope(account_sid, owner_sid)
    if kind == SERVICE and await event_log.webhook_change_is_pending(tx, scope, owner_sid):
        # Its conversations' webhooks are still to be sent what was committed before the delete.
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
    """Turn some of a service's conversations into notes of their own; whether there were any."""
    found = await tx.all(_CONVERSATION_OF, account_sid, service_sid, limits.PURGE_ROWS_MAX)
    for (sid,) in found:
        await tx.run(_DELETE_CONVERSATION, account_sid, sid)
        await tx.run(ENQUEUE, account_sid, sid, CONVERSATION, tx.now * 1000)
    return bool(found)
