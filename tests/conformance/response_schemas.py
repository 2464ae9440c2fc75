"""The content of each response of the API: keys in order, types, and targets of URLs.

A line is a key and its type. Keys of a nested object are written with a dot, of the objects in a
list with `[]`. A `?` after a key: it may be missing; after a type: it may be null. A key after
`+` exists in the service form only. The types are words of `shape_checker.py`.
"""

from __future__ import annotations

from tests.conformance.shape_checker import ObjectShape, shape

CONVERSATION_STATES = "initializing|inactive|active|closed"
CHANNELS = "sms|whatsapp|messenger|gbm|email|rcs|apple"

_HEAD_OF_CONVERSATION = f"""
sid CH
account_sid AC
chat_service_sid IS
messaging_service_sid MG?
friendly_name text?
unique_name text?
attributes json
date_created date
date_updated date
state {CONVERSATION_STATES}
timers object
timers.date_inactive? date
timers.date_closed? date
bindings object?
bindings.email? object
bindings.email.projected_address text
bindings.email.name text?
"""

CONFIGURATION = shape("""
account_sid AC
default_chat_service_sid IS
default_messaging_service_sid MG?
default_inactive_timer duration?
default_closed_timer duration?
url /Configuration
links object
links.service /Services/{default_chat_service_sid}/Configuration
links.webhooks /Configuration/Webhooks
""")

CONFIGURATION_ADDRESS = shape(f"""
account_sid AC
sid IG
address text
type {CHANNELS}|chat
friendly_name text?
address_country text?
auto_creation object
auto_creation.enabled boolean
auto_creation.type webhook|studio|default
auto_creation.conversation_service_sid IS?
auto_creation.webhook_url text?
auto_creation.webhook_method GET|POST?
auto_creation.webhook_filters texts?
auto_creation.studio_flow_sid FW?
auto_creation.studio_retry_count integer?
auto_creation.binding_name text?
date_created date
date_updated date
url /Configuration/Addresses/{{sid}}
""")

CONFIGURATION_WEBHOOK = shape("""
account_sid AC
pre_webhook_url text?
post_webhook_url text?
method GET|POST
filters texts
target webhook|flex
url /Configuration/Webhooks
""")

CONVERSATION = shape(f"""
{_HEAD_OF_CONVERSATION}
url */Conversations/{{sid}}
links object
links.participants */Conversations/{{sid}}/Participants
links.messages */Conversations/{{sid}}/Messages
links.webhooks */Conversations/{{sid}}/Webhooks
links.export */Conversations/{{sid}}/Export
""")

CONVERSATION_WITH_PARTICIPANTS = shape(f"""
{_HEAD_OF_CONVERSATION}
links object
links.participants */Conversations/{{sid}}/Participants
links.messages */Conversations/{{sid}}/Messages
links.webhooks */Conversations/{{sid}}/Webhooks
url */Conversations/{{sid}}
""")

MESSAGE = shape("""
sid IM
account_sid AC
+chat_service_sid IS
conversation_sid CH
body text?
media objects?
media[].category text
media[].filename text?
media[].size integer
media[].content_type text
media[].sid ME
author text
participant_sid MB?
attributes json
date_created date
date_updated date
index integer
delivery object?
delivery.total integer
delivery.sent all|some|none
delivery.delivered all|some|none
delivery.read all|some|none
delivery.failed all|some|none
delivery.undelivered all|some|none
content_sid HX?
url */Conversations/{conversation_sid}/Messages/{sid}
links object
links.delivery_receipts */Conversations/{conversation_sid}/Messages/{sid}/Receipts
links.channel_metadata */Conversations/{conversation_sid}/Messages/{sid}/ChannelMetadata
""")

RECEIPT = shape("""
sid DY
account_sid AC
+chat_service_sid IS
conversation_sid CH
message_sid IM
channel_message_sid sid?
status sent|delivered|read|failed|undelivered
error_code integer
participant_sid MB
date_created date
date_updated date
url */Conversations/{conversation_sid}/Messages/{message_sid}/Receipts/{sid}
""")

PARTICIPANT = shape(f"""
account_sid AC
+chat_service_sid IS
conversation_sid CH
sid MB
identity text?
attributes json
messaging_binding object?
messaging_binding.type {CHANNELS}
messaging_binding.address? text
messaging_binding.proxy_address? text
messaging_binding.projected_address? text
messaging_binding.level? to|from|cc
messaging_binding.name? text
role_sid RL?
date_created date
date_updated date
url */Conversations/{{conversation_sid}}/Participants/{{sid}}
last_read_message_index integer?
last_read_timestamp date?
""")

_SCOPED_WEBHOOK = """
account_sid AC
+chat_service_sid IS
conversation_sid CH
sid WH
target {target}
configuration object
{configuration}
configuration.replay_after? integer
date_created date
date_updated date
url */Conversations/{{conversation_sid}}/Webhooks/{{sid}}
"""
_CALLED = "configuration.url text\nconfiguration.method GET|POST\n"
_CONFIGURATIONS = {
    "webhook": f"{_CALLED}configuration.filters texts",
    "trigger": f"{_CALLED}configuration.triggers texts\nconfiguration.filters texts",
    "studio": "configuration.flow_sid FW\nconfiguration.filters? texts",
}
SCOPED_WEBHOOKS = {
    target: shape(_SCOPED_WEBHOOK.format(target=target, configuration=configuration))
    for target, configuration in _CONFIGURATIONS.items()
}

CREDENTIAL = shape("""
sid CR
account_sid AC
friendly_name text?
type apn|gcm|fcm
sandbox True|False?
date_created date
date_updated date
url /Credentials/{sid}
""")

PARTICIPANT_CONVERSATION = shape(f"""
account_sid AC
chat_service_sid IS
conversation_sid CH
participant_sid MB
conversation_friendly_name text?
conversation_state inactive|active|closed
conversation_timers object
conversation_timers.date_inactive? date
conversation_timers.date_closed? date
conversation_attributes json
conversation_date_created date
conversation_date_updated date
conversation_created_by text
conversation_unique_name text?
participant_user_sid US?
participant_identity text?
participant_messaging_binding object?
participant_messaging_binding.address text?
participant_messaging_binding.proxy_address text?
participant_messaging_binding.type {CHANNELS}
participant_messaging_binding.level to|from|cc?
participant_messaging_binding.name text?
participant_messaging_binding.projected_address text?
links object
links.participant */Conversations/{{conversation_sid}}/Participants/{{participant_sid}}
links.conversation */Conversations/{{conversation_sid}}
""")

ROLE = shape("""
sid RL
account_sid AC
chat_service_sid IS
friendly_name text
type conversation|service
permissions texts
date_created date
date_updated date
url */Roles/{sid}
""")

SERVICE = shape("""
sid IS
account_sid AC
friendly_name text
date_created date
date_updated date
url /Services/{sid}
links object
links.conversations /Services/{sid}/Conversations
links.users /Services/{sid}/Users
links.roles /Services/{sid}/Roles
links.bindings /Services/{sid}/Bindings
links.configuration /Services/{sid}/Configuration
links.participant_conversations /Services/{sid}/ParticipantConversations
links.conversation_with_participants /Services/{sid}/ConversationWithParticipants
""")

SERVICE_BINDING = shape("""
sid BS
account_sid AC
chat_service_sid IS
date_created date
date_updated date
endpoint text
identity text
binding_type apn|gcm|fcm|twilsock
credential_sid CR?
message_types texts
url */Bindings/{sid}
""")

SERVICE_CONFIGURATION = shape("""
chat_service_sid IS
default_conversation_creator_role_sid RL
default_conversation_role_sid RL
default_chat_service_role_sid RL
reachability_enabled boolean
url */Configuration
links object
links.notifications */Configuration/Notifications
links.webhooks */Configuration/Webhooks
""")

SERVICE_NOTIFICATION = shape("""
account_sid AC
chat_service_sid IS
log_enabled boolean
added_to_conversation object
added_to_conversation.enabled boolean
added_to_conversation.template? text
added_to_conversation.sound? text
new_message object
new_message.enabled boolean
new_message.template? text
new_message.badge_count_enabled? boolean
new_message.sound? text
new_message.with_media? object
new_message.with_media.enabled boolean
new_message.with_media.template? text
removed_from_conversation object
removed_from_conversation.enabled boolean
removed_from_conversation.template? text
removed_from_conversation.sound? text
url */Configuration/Notifications
""")

SERVICE_WEBHOOK_CONFIGURATION = shape("""
account_sid AC
chat_service_sid IS
pre_webhook_url text?
post_webhook_url text?
filters texts?
method GET|POST?
url */Configuration/Webhooks
""")

USER = shape("""
sid US
account_sid AC
chat_service_sid IS
role_sid RL
identity text
friendly_name text?
attributes json
is_online boolean?
is_notifiable boolean?
date_created date
date_updated date
url */Users/{sid}
links object
links.user_conversations */Users/{sid}/Conversations
""")

USER_CONVERSATION = shape("""
account_sid AC
chat_service_sid IS
conversation_sid CH
unread_messages_count integer?
last_read_message_index integer?
participant_sid MB
user_sid US
friendly_name text?
conversation_state inactive|active|closed
timers object
timers.date_inactive? date
timers.date_closed? date
attributes json
date_created date
date_updated date
created_by text
notification_level default|muted
unique_name text?
url */Users/{user_sid}/Conversations/{conversation_sid}
links object
links.participant */Conversations/{conversation_sid}/Participants/{participant_sid}
links.conversation */Conversations/{conversation_sid}
""")

ERROR = shape("""
code integer
message text
more_info text
status integer
""")

PAGE_META = shape("""
page integer
page_size integer
first_page_url list_url
previous_page_url list_url?
url list_url
next_page_url list_url?
key text
""")

SHAPES: dict[str, tuple[ObjectShape, ...]] = {
    "Configuration": (CONFIGURATION,),
    "ConfigurationAddress": (CONFIGURATION_ADDRESS,),
    "ConfigurationWebhook": (CONFIGURATION_WEBHOOK,),
    "Conversation": (CONVERSATION,),
    "ConversationMessage": (MESSAGE,),
    "ConversationMessageReceipt": (RECEIPT,),
    "ConversationParticipant": (PARTICIPANT,),
    "ConversationScopedWebhook": tuple(SCOPED_WEBHOOKS.values()),
    "ConversationWithParticipants": (CONVERSATION_WITH_PARTICIPANTS,),
    "Credential": (CREDENTIAL,),
    "ParticipantConversation": (PARTICIPANT_CONVERSATION,),
    "Role": (ROLE,),
    "Service": (SERVICE,),
    "ServiceBinding": (SERVICE_BINDING,),
    "ServiceConfiguration": (SERVICE_CONFIGURATION,),
    "ServiceNotification": (SERVICE_NOTIFICATION,),
    "ServiceWebhookConfiguration": (SERVICE_WEBHOOK_CONFIGURATION,),
    "User": (USER,),
    "UserConversation": (USER_CONVERSATION,),
}
"""By noun of the operation ID: the shape of one object, or the alternatives."""


class Listing:
    """Paging of a list."""

    def __init__(self, key: str, default: int, maximum: int) -> None:
        """Take the key of the array, and the default and maximum page size."""
        self.key = key
        self.default = default
        self.maximum = maximum


LISTINGS = {
    "ConfigurationAddress": Listing("address_configurations", 50, 50),
    "Conversation": Listing("conversations", 50, 100),
    "ConversationMessage": Listing("messages", 50, 100),
    "ConversationMessageReceipt": Listing("delivery_receipts", 50, 50),
    "ConversationParticipant": Listing("participants", 50, 100),
    "ConversationScopedWebhook": Listing("webhooks", 5, 5),
    "Credential": Listing("credentials", 50, 100),
    "ParticipantConversation": Listing("conversations", 50, 50),
    "Role": Listing("roles", 50, 50),
    "Service": Listing("services", 50, 100),
    "ServiceBinding": Listing("bindings", 50, 100),
    "User": Listing("users", 50, 50),
    "UserConversation": Listing("conversations", 50, 50),
}

EXCEPTIONS: dict[tuple[str, str], str] = {
    ("ServiceWebhookConfiguration", "method"): (
        "null until it is set, as observed; the public description has only GET and POST"
    ),
}
"""Where a response may deviate from the hosted service's OpenAPI description, and why."""


def noun_of(operation_id: str) -> str:
    """Return the noun of an operation ID, without its verb; the same in both URL forms."""
    for verb in ("Create", "Fetch", "Update", "Delete", "List"):
        if operation_id.startswith(verb):
            noun = operation_id.removeprefix(verb)
            return noun if noun in SHAPES else noun.removeprefix("Service")
    raise KeyError(operation_id)
