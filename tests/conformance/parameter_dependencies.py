"""Dependencies between parameters: which ones need or exclude each other."""

from __future__ import annotations

from typing import NamedTuple


class Dependency(NamedTuple):
    """One valid combination: parameters present, their values if restricted, and those absent."""

    present: dict[str, str | None]
    absent: frozenset[str] = frozenset()


_ADDRESS = "MessagingBinding.Address"
_PROXY = "MessagingBinding.ProxyAddress"
_PROJECTED = "MessagingBinding.ProjectedAddress"
# Of e-mail addresses only.
_DETAILS = frozenset(f"MessagingBinding.{name}" for name in ("Level", "Name", "Type"))
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
    Dependency({"Identity": None}, frozenset({"Address"})),
    Dependency({"Address": None}, frozenset({"Identity"})),
)

# By operation, in its short form if it has one.
_SENSES: dict[str, tuple[Dependency, ...]] = {
    "ListParticipantConversation": _OF_PARTICIPANT_CONVERSATIONS,
    "CreateConversationParticipant": (
        Dependency({"Identity": None}, frozenset({_ADDRESS, _PROXY, _PROJECTED}) | _DETAILS),
        Dependency({_ADDRESS: None, _PROXY: None}, frozenset({"Identity", _PROJECTED}) | _DETAILS),
    ),
    "CreateConversationScopedWebhook": (
        Dependency({"Target": "webhook", _URL: "https://example.com/a", _FILTERS: None}),
        Dependency({"Target": "trigger", _URL: "https://example.com/b", _TRIGGERS: None}),
        Dependency({"Target": "studio", _FLOW: "FW" + "0" * 31 + "1", _FILTERS: None}),
    ),
    "CreateConfigurationAddress": (
        Dependency({"Type": "sms", "Address": None}),
        Dependency({"Type": "email", "Address": "desk@example.com"}),
    ),
    "UpdateServiceConfiguration": (
        Dependency({}),
        Dependency({"ReachabilityEnabled": None}, _ROLES),
    ),
    "UpdateUserConversation": (
        Dependency({"NotificationLevel": None}),
        Dependency({"LastReadMessageIndex": None}, frozenset({"LastReadTimestamp"})),
    ),
}


def dependencies_of(operation_id: str) -> tuple[Dependency, ...]:
    """Return the valid combinations; none if any parameters will do."""
    return _SENSES.get(operation_id, _SENSES.get(operation_id.replace("Service", "", 1), ()))
