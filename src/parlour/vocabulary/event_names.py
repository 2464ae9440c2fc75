"""The names of events, and what an event is: a committed fact.

The names are those of the API's post-action webhooks. What no webhook tells, but other
listeners need, has a name of the same form that no filter can contain.
"""

from __future__ import annotations

from typing import Final

ON_MESSAGE_ADDED: Final = "onMessageAdded"
ON_MESSAGE_UPDATED: Final = "onMessageUpdated"
ON_MESSAGE_REMOVED: Final = "onMessageRemoved"
ON_CONVERSATION_ADDED: Final = "onConversationAdded"
ON_CONVERSATION_UPDATED: Final = "onConversationUpdated"
ON_CONVERSATION_REMOVED: Final = "onConversationRemoved"
ON_CONVERSATION_STATE_UPDATED: Final = "onConversationStateUpdated"
ON_PARTICIPANT_ADDED: Final = "onParticipantAdded"
ON_PARTICIPANT_UPDATED: Final = "onParticipantUpdated"
ON_PARTICIPANT_REMOVED: Final = "onParticipantRemoved"
ON_DELIVERY_UPDATED: Final = "onDeliveryUpdated"
ON_USER_ADDED: Final = "onUserAdded"
ON_USER_UPDATED: Final = "onUserUpdated"

PRE_ACTION: Final = (
    "onMessageAdd",
    "onMessageUpdate",
    "onMessageRemove",
    "onConversationAdd",
    "onConversationUpdate",
    "onConversationRemove",
    "onParticipantAdd",
    "onParticipantUpdate",
    "onParticipantRemove",
    "onUserUpdate",
)
"""Asked before an action, in the order of the API's documentation."""

POST_ACTION: Final = (
    ON_MESSAGE_ADDED,
    ON_MESSAGE_UPDATED,
    ON_MESSAGE_REMOVED,
    ON_CONVERSATION_ADDED,
    ON_CONVERSATION_UPDATED,
    ON_CONVERSATION_REMOVED,
    ON_CONVERSATION_STATE_UPDATED,
    ON_PARTICIPANT_ADDED,
    ON_PARTICIPANT_UPDATED,
    ON_PARTICIPANT_REMOVED,
    ON_DELIVERY_UPDATED,
    ON_USER_ADDED,
    ON_USER_UPDATED,
)
"""Told after an action."""

FILTERS: Final = frozenset(PRE_ACTION + POST_ACTION)
"""What may stand in the filters of an account or a service: 23 names, case-sensitive."""

SCOPED_FILTERS: Final = frozenset(POST_ACTION) - {
    ON_CONVERSATION_ADDED,
    ON_USER_ADDED,
    ON_USER_UPDATED,
}
"""What may stand in the filters of a conversation-scoped webhook: ten names."""

# Published to sockets and kept for the record, never sent to webhooks.
RECEIPT_ADDED: Final = "receiptAdded"
USER_REMOVED: Final = "userRemoved"
USER_REACHABILITY_UPDATED: Final = "userReachabilityUpdated"
USER_CONVERSATION_UPDATED: Final = "userConversationUpdated"
ROLE_CHANGED: Final = "roleChanged"
SERVICE_CHANGED: Final = "serviceChanged"
ACCOUNT_CHANGED: Final = "accountChanged"
SCOPED_WEBHOOK_ADDED: Final = "scopedWebhookAdded"
SCOPED_WEBHOOK_CHANGED: Final = "scopedWebhookChanged"
WEBHOOKS_REPLAYED: Final = "webhooksReplayed"
WEBHOOKS_CHANGED: Final = "webhooksChanged"
"""The webhook settings of an account, a service or a conversation: how they were before."""

INTERNAL: Final = frozenset(
    {
        RECEIPT_ADDED,
        USER_REMOVED,
        USER_REACHABILITY_UPDATED,
        USER_CONVERSATION_UPDATED,
        ROLE_CHANGED,
        SERVICE_CHANGED,
        ACCOUNT_CHANGED,
        SCOPED_WEBHOOK_ADDED,
        SCOPED_WEBHOOK_CHANGED,
        WEBHOOKS_REPLAYED,
        WEBHOOKS_CHANGED,
    }
)
"""Events that no webhook is sent, by decision."""

ALL: Final = INTERNAL.union(POST_ACTION)
"""Every name that an event of this version has."""
