"""What goes together in a request that makes sense: parameters that need or exclude each other."""

from __future__ import annotations

from typing import NamedTuple


class Sense(NamedTuple):
    """One way to ask for something: what is said, with which value if not any, and what is not."""

    said: dict[str, str | None]
    unsaid: frozenset[str] = frozenset()


_ADDRESS = "MessagingBinding.Address"
_PROXY = "MessagingBinding.ProxyAddress"
_PROJECTED = "MessagingBinding.ProjectedAddress"
_TRIGGERS, _FLOW = "Configuration.Triggers", "Configuration.FlowSid"
_FILTERS, _URL = "Configuration.Filters", "Configuration.Url"

_ROLES = frozenset(
    {
        "DefaultConversationCreatorRoleSid",
        "DefaultConversationRoleSid",
        "DefaultChatServiceRoleSid",
    }
)
_OF_PARTICIPANT_CONVERSATIONS = (
    Sense({"Identity": None}, frozenset({"Address"})),
    Sense({"Address": None}, frozenset({"Identity"})),
)

# By the operation, in its short form where it has one.
_SENSES: dict[str, tuple[Sense, ...]] = {
    "ListParticipantConversation": _OF_PARTICIPANT_CONVERSATIONS,
    "CreateConversationParticipant": (
        Sense({"Identity": None}, frozenset({_ADDRESS, _PROXY, _PROJECTED})),
        Sense({_ADDRESS: None, _PROXY: None}, frozenset({"Identity", _PROJECTED})),
    ),
    "CreateConversationScopedWebhook": (
        Sense({"Target": "webhook", _URL: "https://example.com/a", _FILTERS: None}),
        Sense({"Target": "trigger", _URL: "https://example.com/b", _TRIGGERS: None}),
        Sense({"Target": "studio", _FLOW: "FW" + "0" * 31 + "1", _FILTERS: None}),
    ),
    "CreateConfigurationAddress": (
        Sense({"Type": "sms", "Address": None}),
        Sense({"Type": "email", "Address": "desk@example.com"}),
    ),
    "UpdateServiceConfiguration": (
        Sense({}),
        Sense({"ReachabilityEnabled": None}, _ROLES),
    ),
    "UpdateUserConversation": (
        Sense({"NotificationLevel": None}),
        Sense({"LastReadMessageIndex": None}, frozenset({"LastReadTimestamp"})),
    ),
}


def senses_of(operation_id: str) -> tuple[Sense, ...]:
    """The ways to ask; none if any parameters will do."""
    return _SENSES.get(operation_id, _SENSES.get(operation_id.replace("Service", "", 1), ()))
