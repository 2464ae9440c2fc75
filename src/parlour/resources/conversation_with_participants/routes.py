"""Routes of conversations created with participants. They can only be created."""

from __future__ import annotations

from parlour.operations.operation import SHORT_AND_SERVICE, Collection, create
from parlour.resources.conversation_with_participants import (
    actions as conversation_with_participants_actions,
)
from parlour.resources.conversation_with_participants import (
    parameters as conversation_with_participants_parameters,
)
from parlour.resources.conversation_with_participants import (
    representation as conversation_with_participants_representation,
)
from parlour.vocabulary import limits

CONVERSATION_WITH_PARTICIPANTS = Collection(
    noun="ConversationWithParticipants",
    path="/ConversationWithParticipants",
    url_forms=SHORT_AND_SERVICE,
    represent=conversation_with_participants_representation.resource,
    specs=(
        create(
            conversation_with_participants_actions.create_conversation_with_participants,
            conversation_with_participants_parameters.CreateConversationWithParticipants,
            webhook_header=True,
            pre_action="onConversationAdd",
            other_statuses=(202,),
            form_escapes_max=limits.FORM_ESCAPES_WITH_PARTICIPANTS_MAX,
        ),
    ),
)
