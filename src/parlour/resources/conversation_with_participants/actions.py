"""What happens to a conversation that is made together with its participants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.call import AcceptedResult
from parlour.resources.conversation_with_participants import completion, together
from parlour.resources.conversations import actions as conversations
from parlour.resources.conversations import timers
from parlour.resources.participants import groups
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
    """A new conversation; with participants it is only begun, and completed in the background.

    Everything is checked before anything is kept; the pairs of addresses and the set of a group
    are taken at once.
    """
    said = call.parameters
    forms = [] if said.participants is UNSET else said.participants
    if len(forms) > limits.PARTICIPANTS_PER_REQUEST_MAX:
        raise ApiError(50426)
    conversation = await conversations.make_conversation(tx, call.scope, said)
    if not forms:
        await conversations.keep_conversation(tx, call.scope, conversation)
        return conversation
    made = await together.make_participants(tx, call.scope, conversation, forms)
    begun = msgspec.structs.replace(
        conversation,
        state=timers.INITIALIZING,
        date_inactive=None,
        date_closed=None,
        pending_participants=completion.write_pending(tx.origin, conversation.state, forms),
    )
    await conversations.keep_conversation(tx, call.scope, begun)
    for each in made:
        pair = together.pair_of(each)
        if pair is not None:
            await participant_store.hold_pending_pair(tx, call.scope, begun.sid, *pair)
    if numbers := groups.complete_set(made):
        await participant_store.hold_pending_set(tx, call.scope, begun.sid, numbers)
    return AcceptedResult(202, begun)
