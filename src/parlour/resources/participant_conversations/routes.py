"""Participant conversations: where they are listed. There is nothing else to be done."""

from __future__ import annotations

from parlour.operations.operation import SHORT_AND_SERVICE, Collection, list_
from parlour.resources.participant_conversations import actions, parameters, representation

PARTICIPANT_CONVERSATIONS = Collection(
    noun="ParticipantConversation",
    path="/ParticipantConversations",
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(
        list_(
            actions.list_participant_conversations,
            key="conversations",
            parameters=parameters.ListParticipantConversations,
        ),
    ),
)
