"""Participants: where they are and what can be done."""

from __future__ import annotations

from parlour.operations.operation import (
    SERVICE_ONLY,
    SHORT_AND_SERVICE,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.participants import actions, parameters, permits, representation
from parlour.vocabulary import limits

PARTICIPANTS = Collection(
    noun="ConversationParticipant",
    path="/Conversations/{ConversationSid}/Participants",
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(
        list_(actions.list_participants, key="participants", maximum=limits.PAGE_SIZE_MAX),
        create(
            actions.create_participant,
            parameters.CreateParticipant,
            webhook_header=True,
            pre_action="onParticipantAdd",
        ),
        fetch(actions.fetch_participant),
        update(
            actions.update_participant,
            parameters.UpdateParticipant,
            webhook_header=True,
            pre_action="onParticipantUpdate",
            conflict_scope=actions.conflict_scope_of_update,
            permits=permits.update_participant,
        ),
        delete(
            actions.delete_participant,
            webhook_header=True,
            pre_action="onParticipantRemove",
            permits=permits.delete_participant,
        ),
    ),
)

PARTICIPANTS_OF_CLIENTS = Collection(
    noun="ClientParticipant",
    service_noun="ClientParticipant",
    path="/Conversations/{ConversationSid}/Participants",
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        create(
            actions.create_participant,
            parameters.AddParticipant,
            pre_action="onParticipantAdd",
            permits=permits.create_participant,
        ),
        fetch(actions.fetch_own_participant, permits=permits.fetch_own_participant),
    ),
    listed=False,
)
"""What clients add, and the participant that a client's user is."""
