"""Routes of participant conversations. They can only be listed."""

from __future__ import annotations

from parlour.operations.operation import SHORT_AND_SERVICE, Collection, list_
from parlour.resources.participant_conversations import actions as participant_conversation_actions
from parlour.resources.participant_conversations import (
    parameters as participant_conversation_parameters,
)
from parlour.resources.participant_conversations import (
    representation as participant_conversation_representation,
)

PARTICIPANT_CONVERSATIONS = Collection(
    noun="ParticipantConversation",
    path="/ParticipantConversations",
    url_forms=SHORT_AND_SERVICE,
    represent=participant_conversation_representation.resource,
    specs=(
        list_(
            participant_conversation_actions.list_participant_conversations,
            key="conversations",
            parameters=participant_conversation_parameters.ListParticipantConversations,
        ),
    ),
)
