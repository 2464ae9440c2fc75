"""Routes of participants."""

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
from parlour.resources.participants import actions as participant_actions
from parlour.resources.participants import parameters as participant_parameters
from parlour.resources.participants import permits as participant_permits
from parlour.resources.participants import representation as participant_representation
from parlour.vocabulary import limits

PARTICIPANTS = Collection(
    noun="ConversationParticipant",
    path="/Conversations/{ConversationSid}/Participants",
    url_forms=SHORT_AND_SERVICE,
    represent=participant_representation.resource,
    specs=(
        list_(
            participant_actions.list_participants,
            key="participants",
            maximum=limits.PAGE_SIZE_MAX,
            shows_cursor=True,
        ),
        create(
            participant_actions.create_participant,
            participant_parameters.CreateParticipant,
            webhook_header=True,
            pre_action="onParticipantAdd",
        ),
        fetch(participant_actions.fetch_participant),
        update(
            participant_actions.update_participant,
            participant_parameters.UpdateParticipant,
            webhook_header=True,
            pre_action="onParticipantUpdate",
            conflict_scope=participant_actions.conflict_scope_of_update,
            permits=participant_permits.update_participant,
        ),
        delete(
            participant_actions.delete_participant,
            webhook_header=True,
            pre_action="onParticipantRemove",
            permits=participant_permits.delete_participant,
        ),
    ),
)

CLIENT_PARTICIPANTS = Collection(
    noun="ClientParticipant",
    service_noun="ClientParticipant",
    path="/Conversations/{ConversationSid}/Participants",
    url_forms=SERVICE_ONLY,
    represent=participant_representation.resource,
    specs=(
        create(
            participant_actions.create_participant,
            participant_parameters.CreateParticipant,
            pre_action="onParticipantAdd",
            permits=participant_permits.create_participant,
        ),
        fetch(
            participant_actions.fetch_own_participant,
            permits=participant_permits.fetch_own_participant,
        ),
    ),
    listed=False,
)
"""Adding participants as a client, and the participant of a client's own user."""
