"""User conversations: where they are and what can be done. Being in one is made elsewhere.

None of these operations takes the header that lets webhooks hear of a change.
"""

from __future__ import annotations

from parlour.operations.operation import (
    SHORT_AND_SERVICE,
    Collection,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.user_conversations import actions, parameters, permits, representation

USER_CONVERSATIONS = Collection(
    noun="UserConversation",
    path="/Users/{UserSid}/Conversations",
    instance="{ConversationSid}",
    forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    deeds=(
        list_(
            actions.list_user_conversations,
            key="conversations",
            permits=permits.list_user_conversations,
        ),
        fetch(actions.fetch_user_conversation),
        update(actions.update_user_conversation, parameters.UpdateUserConversation),
        delete(actions.delete_user_conversation),
    ),
)
