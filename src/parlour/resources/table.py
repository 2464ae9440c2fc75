"""All operations of the API: served by the router and listed in the documentation."""

from __future__ import annotations

from functools import cache

from parlour.operations.operation import Collection, Operation, operations_of
from parlour.resources.accounts.routes import ACCOUNTS, KEY, KEYS
from parlour.resources.activity.routes import ACTIVITY
from parlour.resources.address_configurations.routes import ADDRESS_CONFIGURATIONS
from parlour.resources.carrier_callbacks.routes import CARRIER_CALLBACK_PATHS, CARRIER_CALLBACKS
from parlour.resources.configuration.routes import CONFIGURATION
from parlour.resources.connections.routes import CONNECTIONS
from parlour.resources.console_audit.routes import OPERATOR_AUDIT
from parlour.resources.console_sessions.routes import OPERATOR_SESSIONS
from parlour.resources.content_templates.routes import (
    APPROVAL,
    CONTENT_TEMPLATES,
    CONTENTS,
    CONTENTS_AND_APPROVALS,
    WHATSAPP_APPROVAL,
)
from parlour.resources.conversation_removal.routes import CONVERSATION_REMOVAL
from parlour.resources.conversation_summaries.routes import CONVERSATION_SUMMARIES
from parlour.resources.conversation_with_participants.routes import (
    CONVERSATION_WITH_PARTICIPANTS,
)
from parlour.resources.conversations.routes import CONVERSATIONS
from parlour.resources.credentials.routes import CREDENTIALS
from parlour.resources.events.routes import EVENTS
from parlour.resources.media.routes import MEDIA, MEDIA_CONTENT, MEDIA_SET, SIGNED_MEDIA
from parlour.resources.messages.routes import CHANNEL_METADATA, MESSAGES
from parlour.resources.openapi.routes import OPEN_API
from parlour.resources.operator_accounts.routes import (
    OPERATOR_ACCOUNT_KEYS,
    OPERATOR_ACCOUNTS,
)
from parlour.resources.operator_reports.routes import (
    OPERATOR_HEALTH,
    OPERATOR_MEDIA,
    OPERATOR_QUEUES,
    OPERATOR_SETTINGS,
)
from parlour.resources.participant_conversations.routes import PARTICIPANT_CONVERSATIONS
from parlour.resources.participants.routes import PARTICIPANTS
from parlour.resources.push_bindings.routes import PUSH_BINDINGS
from parlour.resources.receipts.routes import RECEIPTS
from parlour.resources.requests.routes import REQUESTS
from parlour.resources.roles.routes import ROLES
from parlour.resources.scoped_webhooks.routes import SCOPED_WEBHOOKS
from parlour.resources.server.routes import SERVER
from parlour.resources.service_configuration.routes import SERVICE_CONFIGURATION
from parlour.resources.service_notifications.routes import SERVICE_NOTIFICATIONS
from parlour.resources.service_webhook_configuration.routes import SERVICE_WEBHOOK_CONFIGURATION
from parlour.resources.services.routes import SERVICES
from parlour.resources.tokens.routes import TOKEN_CHECKS, TOKENS
from parlour.resources.user_conversations.routes import USER_CONVERSATIONS
from parlour.resources.user_removal.routes import USER_REMOVAL
from parlour.resources.users.routes import USERS
from parlour.resources.virtual_phones.routes import (
    VIRTUAL_PHONE_MEDIA,
    VIRTUAL_PHONE_MESSAGES,
    VIRTUAL_PHONE_SENDS,
    VIRTUAL_PHONES,
)
from parlour.resources.webhook_attempts.routes import (
    WEBHOOK_ATTEMPT_REPLAY,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_REPLAY,
)
from parlour.resources.webhook_configuration.routes import (
    WEBHOOK_CONFIGURATION,
    WEBHOOK_CONFIGURATION_ALIAS,
)
from parlour.resources.webhook_endpoints.routes import (
    WEBHOOK_ENDPOINT_RETRY,
    WEBHOOK_ENDPOINTS,
)
from parlour.resources.webhook_retries.routes import WEBHOOK_RETRIES
from parlour.resources.webhook_samples.routes import WEBHOOK_SAMPLES
from parlour.resources.webhook_signatures.routes import WEBHOOK_SIGNATURES

COLLECTIONS: tuple[Collection, ...] = (
    CONFIGURATION,
    ADDRESS_CONFIGURATIONS,
    WEBHOOK_CONFIGURATION,
    WEBHOOK_CONFIGURATION_ALIAS,
    CREDENTIALS,
    ACCOUNTS,
    KEYS,
    KEY,
    ROLES,
    SERVICE_CONFIGURATION,
    SERVICE_NOTIFICATIONS,
    SERVICE_WEBHOOK_CONFIGURATION,
    PUSH_BINDINGS,
    SERVICES,
    CONVERSATIONS,
    CONVERSATION_REMOVAL,
    PARTICIPANTS,
    MESSAGES,
    CHANNEL_METADATA,
    RECEIPTS,
    SCOPED_WEBHOOKS,
    CONVERSATION_WITH_PARTICIPANTS,
    PARTICIPANT_CONVERSATIONS,
    USERS,
    USER_REMOVAL,
    USER_CONVERSATIONS,
    CONVERSATION_SUMMARIES,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_REPLAY,
    WEBHOOK_ATTEMPT_REPLAY,
    WEBHOOK_ENDPOINTS,
    WEBHOOK_ENDPOINT_RETRY,
    WEBHOOK_RETRIES,
    EVENTS,
    REQUESTS,
    ACTIVITY,
    CONNECTIONS,
    WEBHOOK_SAMPLES,
    WEBHOOK_SIGNATURES,
    TOKENS,
    TOKEN_CHECKS,
    SERVER,
    OPEN_API,
    OPERATOR_HEALTH,
    OPERATOR_QUEUES,
    OPERATOR_SETTINGS,
    OPERATOR_MEDIA,
    OPERATOR_ACCOUNTS,
    OPERATOR_ACCOUNT_KEYS,
    OPERATOR_SESSIONS,
    OPERATOR_AUDIT,
    CONTENT_TEMPLATES,
    VIRTUAL_PHONES,
    VIRTUAL_PHONE_MESSAGES,
    VIRTUAL_PHONE_SENDS,
    VIRTUAL_PHONE_MEDIA,
    CONTENTS,
    CONTENTS_AND_APPROVALS,
    APPROVAL,
    WHATSAPP_APPROVAL,
    MEDIA,
    MEDIA_SET,
    MEDIA_CONTENT,
    SIGNED_MEDIA,
    CARRIER_CALLBACKS,
    CARRIER_CALLBACK_PATHS,
)


@cache
def operations() -> tuple[Operation, ...]:
    """Return all operations, in the order of their collections."""
    return tuple(each for collection in COLLECTIONS for each in operations_of(collection))


@cache
def pipeline_operations() -> tuple[Operation, ...]:
    """Return the operations that the router serves: those without a dedicated endpoint."""
    return tuple(each for each in operations() if not each.has_endpoint)
