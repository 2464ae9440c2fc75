"""Actions on conversations created with participants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.call import AcceptedResult
from parlour.resources.conversation_with_participants import (
    background_create as conversation_with_participants_background_create,
)
from parlour.resources.conversation_with_participants import (
    batch_create as conversation_with_participants_batch_create,
)
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.participants import groups as participant_groups
from parlour.resources.participants import store as participant_store
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.conversation_with_participants.parameters import (
        CreateConversationWithParticipants,
    )
    from parlour.resources.conversations.store import Conversation
    from parlour.store.transaction import Transaction


async def create_conversation_with_participants(
    tx: Transaction, call: Call[CreateConversationWithParticipants]
) -> Conversation | AcceptedResult:
    """Create a conversation; its participants are added in the background.

    All checks run before the first insert; address pairs and the set of a group are reserved at
    once.
    """
    parameters = call.parameters
    forms = [] if parameters.participants is UNSET else parameters.participants
    if len(forms) > limits.PARTICIPANTS_PER_REQUEST_MAX:
        raise ApiError(50426)
    conversation = await conversation_actions.build_conversation(tx, call.scope, parameters)
    if not forms:
        await conversation_actions.save_new_conversation(tx, call.scope, conversation)
        return conversation
    participants = await conversation_with_participants_batch_create.make_participants(
        tx, call.scope, conversation, forms
    )
    pending_conversation = msgspec.structs.replace(
        conversation,
        state=conversation_timers.INITIALIZING,
        date_inactive=None,
        date_closed=None,
        pending_participants=conversation_with_participants_background_create.encode_pending(
            tx.origin, conversation.state, forms
        ),
    )
    await conversation_actions.save_new_conversation(tx, call.scope, pending_conversation)
    for each in participants:
        pair = conversation_with_participants_batch_create.address_pair(each)
        if pair is not None:
            await participant_store.reserve_address_pair(
                tx, call.scope, pending_conversation.sid, *pair
            )
    if numbers := participant_groups.group_numbers(participants):
        await participant_store.reserve_group_numbers(
            tx, call.scope, pending_conversation.sid, numbers
        )
    return AcceptedResult(202, pending_conversation)
