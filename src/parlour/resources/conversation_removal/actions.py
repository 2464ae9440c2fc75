"""Delete conversations; imports both ``conversations`` and ``scoped_webhooks``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations import purge
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.conversations import store as conversation_store
from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.store.transaction import Transaction

_DELETE_PARTICIPANTS = "DELETE FROM participant WHERE account_sid = $1 AND conversation_sid = $2"
_DELETE_PENDING_PAIRS = "DELETE FROM pending_pair WHERE account_sid = $1 AND conversation_sid = $2"
_DELETE_WEBHOOKS = "DELETE FROM scoped_webhook WHERE account_sid = $1 AND conversation_sid = $2"


async def delete_conversation(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a conversation with its participants and webhooks.

    Its messages are purged in the background.
    """
    conversation = await conversation_actions.conversation_in_path(tx, call, variable="Sid")
    # The webhooks receive the event although their rows are deleted: its payload contains them.
    webhooks = await scoped_webhook_store.list_all_scoped_webhooks(tx, call.scope, conversation.sid)
    await tx.emit(
        call.scope,
        event_names.ON_CONVERSATION_REMOVED,
        conversation_sid=conversation.sid,
        subject_sid=conversation.sid,
        payload={"conversation": conversation, "scoped_webhooks": webhooks},
    )
    await conversation_store.delete_conversation_row(tx, call.scope, conversation.sid)
    await tx.run(_DELETE_PARTICIPANTS, call.scope.account_sid, conversation.sid)
    await tx.run(_DELETE_PENDING_PAIRS, call.scope.account_sid, conversation.sid)
    await tx.run(_DELETE_WEBHOOKS, call.scope.account_sid, conversation.sid)
    await purge.enqueue_conversation(tx, call.scope, conversation.sid)
