"""The names of events.

Events with a post-action webhook have the webhook's name. Internal events, which only other
consumers need, have names of the same form that are not allowed in filters.
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
"""Events of pre-action webhooks, in the order of the API's documentation."""

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
"""Events of post-action webhooks."""

FILTERS: Final = frozenset(PRE_ACTION + POST_ACTION)
"""Names allowed in the filters of an account or a service, case-sensitive."""

SCOPED_FILTERS: Final = frozenset(POST_ACTION) - {
    ON_CONVERSATION_ADDED,
    ON_USER_ADDED,
    ON_USER_UPDATED,
}
"""Names allowed in the filters of a conversation-scoped webhook.

A new name of ``POST_ACTION`` is one of them, unless it is excluded here.
"""

# Logged and published to WebSockets, but not to webhooks.
RECEIPT_ADDED: Final = "receiptAdded"
USER_REMOVED: Final = "userRemoved"
USER_REACHABILITY_UPDATED: Final = "userReachabilityUpdated"
USER_CONVERSATION_UPDATED: Final = "userConversationUpdated"
ROLE_CHANGED: Final = "roleChanged"
SERVICE_CHANGED: Final = "serviceChanged"
ACCOUNT_CHANGED: Final = "accountChanged"
SCOPED_WEBHOOK_ADDED: Final = "scopedWebhookAdded"
SCOPED_WEBHOOK_CHANGED: Final = "scopedWebhookChanged"
VIRTUAL_PHONE_CHANGED: Final = "virtualPhoneChanged"
WEBHOOKS_REPLAYED: Final = "webhooksReplayed"
WEBHOOKS_CHANGED: Final = "webhooksChanged"
"""Contains the webhook settings of an account, service or conversation before the change."""

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
        VIRTUAL_PHONE_CHANGED,
        WEBHOOKS_REPLAYED,
        WEBHOOKS_CHANGED,
    }
)
"""Events without a webhook, by decision."""

ALL: Final = INTERNAL.union(POST_ACTION)
"""All event names of this version."""
