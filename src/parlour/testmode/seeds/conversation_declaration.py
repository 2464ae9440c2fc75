"""The keys of conversations and of what they contain."""

from __future__ import annotations

from typing import Final

from parlour.resources.conversations.parameters import CreateConversation
from parlour.resources.messages.parameters import CreateMessage
from parlour.resources.participants.parameters import CreateParticipant, last_read_message_index
from parlour.resources.receipts import statuses as receipt_statuses
from parlour.resources.scoped_webhooks.parameters import CreateScopedWebhook
from parlour.testmode.seeds.common_keys import DATES, api_dates, name_key, service_key, sid_key
from parlour.testmode.seeds.keys import Section, SeedKey, ValueKind
from parlour.vocabulary import limits, sids

SOURCES: Final = (
    *("API", "SDK", "SMS", "WHATSAPP", "MESSENGER", "RCS", "GBM", "APPLE", "EMAIL", "CHAT"),
)
STATUSES: Final = (
    receipt_statuses.SENT,
    receipt_statuses.DELIVERED,
    receipt_statuses.READ,
    receipt_statuses.UNDELIVERED,
    receipt_statuses.FAILED,
)
ALL_RECIPIENTS: Final = "all"


PARTICIPANT: Final = Section(
    (
        name_key("Local name of the participant."),
        sid_key(sids.PARTICIPANT),
        SeedKey(
            "identity",
            "Identity of a chat participant.",
            wire_name="Identity",
            codes=(50204, 50211, 50214, 50433, 50434),
        ),
        SeedKey(
            "address",
            "Address of an SMS, WhatsApp, e-mail … participant.",
            wire_name="MessagingBinding.Address",
            codes=(50373, 50436, 50437, 50438),
        ),
        SeedKey(
            "proxy_address",
            "Address of the account that it writes to.",
            wire_name="MessagingBinding.ProxyAddress",
            codes=(50409, 50411, 50412, 50413, 50414, 50415, 50416, 50453),
        ),
        SeedKey(
            "projected_address",
            "Number of the account that represents a chat user in a group.",
            wire_name="MessagingBinding.ProjectedAddress",
        ),
        SeedKey("level", "To or cc, of an e-mail address.", wire_name="MessagingBinding.Level"),
        SeedKey("name", "Name of an e-mail address.", wire_name="MessagingBinding.Name"),
        SeedKey("attributes", "Attributes: JSON, or its text.", ValueKind.JSON, "Attributes"),
        SeedKey(
            "role",
            "Role, by key, SID, or name of a built-in role.",
            ValueKind.REFERENCE,
            codes=(50109,),
            refers_to="roles",
        ),
        SeedKey(
            "last_read_message_index",
            "Index of the last message that it has read.",
            ValueKind.INTEGER,
            parse=last_read_message_index,
            minimum=0,
        ),
        SeedKey("last_read_timestamp", "When it read; the clock if absent.", ValueKind.DATE),
        SeedKey(
            "notification_level",
            "Push notifications: default or muted.",
            words=("default", "muted"),
        ),
        *api_dates("Date of creation; the date of the conversation if absent."),
    ),
    CreateParticipant,
)
RECEIPT: Final = Section(
    (
        sid_key(sids.RECEIPT),
        SeedKey(
            "participant",
            "Recipient, by key, identity or address.",
            ValueKind.REFERENCE,
            refers_to="participants",
            is_required=True,
        ),
        SeedKey("status", "Status of the delivery.", words=STATUSES, is_required=True),
        SeedKey("error_code", "Code of the failure.", ValueKind.INTEGER, minimum=0),
        SeedKey("channel_message_sid", "SID of the message at its carrier.", chars_max=64),
        *DATES,
    )
)
MESSAGE: Final = Section(
    (
        name_key("Local name of the message."),
        sid_key(sids.MESSAGE),
        SeedKey(
            "author", "Identity or address of the author; system if absent.", wire_name="Author"
        ),
        SeedKey("body", "Text of the message.", wire_name="Body"),
        SeedKey("subject", "Subject of the message.", wire_name="Subject"),
        SeedKey("attributes", "Attributes: JSON, or its text.", ValueKind.JSON, "Attributes"),
        SeedKey(
            "index",
            "Index; the next one if absent. A gap counts as deleted messages.",
            ValueKind.INTEGER,
            minimum=0,
        ),
        SeedKey(
            "source",
            "Origin; the channel of the author if that is an address, else API.",
            words=SOURCES,
        ),
        SeedKey("last_updated_by", "Who changed it last.", chars_max=limits.IDENTITY_CHARS_MAX),
        SeedKey(
            "receipts",
            "Delivery receipts: a list, or {delivered: all}.",
            ValueKind.RECEIPTS,
            section=RECEIPT,
        ),
        *api_dates("Date of creation; the clock if absent."),
    ),
    CreateMessage,
)
WEBHOOK: Final = Section(
    (
        name_key("Local name of the webhook."),
        sid_key(sids.SCOPED_WEBHOOK),
        SeedKey("target", "ValueKind: webhook (default), trigger or studio.", wire_name="Target"),
        SeedKey("url", "URL of the webhook.", wire_name="Configuration.Url", codes=(50369,)),
        SeedKey("method", "HTTP method: GET or POST.", wire_name="Configuration.Method"),
        SeedKey(
            "filters",
            "Events that are sent.",
            ValueKind.TEXTS,
            "Configuration.Filters",
            codes=(50370,),
        ),
        SeedKey(
            "triggers",
            "Words that a message must contain.",
            ValueKind.TEXTS,
            "Configuration.Triggers",
            codes=(50362, 50371),
        ),
        SeedKey(
            "flow_sid", "Flow that is started.", wire_name="Configuration.FlowSid", codes=(50367,)
        ),
        SeedKey(
            "replay_after",
            "Index after which messages were replayed.",
            ValueKind.INTEGER,
            "Configuration.ReplayAfter",
        ),
        *DATES,
    ),
    CreateScopedWebhook,
)
_TIMERS: Final = Section(
    (
        SeedKey("inactive", "Inactive timer, an ISO 8601 duration.", wire_name="Timers.Inactive"),
        SeedKey("closed", "Closed timer, an ISO 8601 duration.", wire_name="Timers.Closed"),
        SeedKey(
            "date_inactive",
            "When the inactive timer ends; counted from the clock if absent.",
            ValueKind.DATE,
        ),
        SeedKey(
            "date_closed",
            "When the closed timer ends; counted from the clock if absent.",
            ValueKind.DATE,
        ),
    ),
    CreateConversation,
    is_part=True,
)
_EMAIL: Final = Section(
    (
        SeedKey("address", "Sender of its e-mails.", wire_name="Bindings.Email.Address"),
        SeedKey("name", "Name of the sender.", wire_name="Bindings.Email.Name"),
    ),
    CreateConversation,
    is_part=True,
)
_BINDINGS: Final = Section(
    (SeedKey("email", "Sender of its e-mails.", ValueKind.OBJECT, section=_EMAIL),),
    CreateConversation,
    is_part=True,
)
CONVERSATION: Final = Section(
    (
        name_key("Local name of the conversation."),
        sid_key(sids.CONVERSATION),
        service_key("conversation"),
        SeedKey("friendly_name", "Name of the conversation.", wire_name="FriendlyName"),
        SeedKey(
            "unique_name", "Unique name in the service.", wire_name="UniqueName", codes=(50353,)
        ),
        SeedKey("attributes", "Attributes: JSON, or its text.", ValueKind.JSON, "Attributes"),
        SeedKey(
            "state",
            "State, after all participants and messages.",
            words=("active", "inactive", "closed"),
        ),
        SeedKey("messaging_service_sid", "Messaging service.", wire_name="MessagingServiceSid"),
        SeedKey("created_by", "Identity of the creator.", chars_max=limits.IDENTITY_CHARS_MAX),
        SeedKey(
            "next_message_index",
            "Index of the next message, if the last ones were deleted.",
            ValueKind.INTEGER,
            minimum=0,
        ),
        SeedKey("timers", "Timers.", ValueKind.OBJECT, section=_TIMERS),
        SeedKey(
            "bindings", "Addresses of the conversation itself.", ValueKind.OBJECT, section=_BINDINGS
        ),
        *api_dates("Date of creation; the date of the oldest message if absent."),
        SeedKey(
            "participants",
            "Participants, in the order of their creation.",
            ValueKind.LIST,
            section=PARTICIPANT,
        ),
        SeedKey("messages", "Messages, by index.", ValueKind.LIST, section=MESSAGE),
        SeedKey(
            "webhooks",
            "Webhooks of the conversation.",
            ValueKind.LIST,
            codes=(50361,),
            section=WEBHOOK,
        ),
    ),
    CreateConversation,
)
