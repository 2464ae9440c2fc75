"""Example parameters of every event, as a webhook about it has them.

An example is of a chat: parameters that only changes of channels have are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.protocol.timestamps import format_date_ms
from parlour.resources.webhook_forms import parameter_names
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.vocabulary.scope import Scope

_IDENTITY: Final = "alice"
_DATES: Final = frozenset({"DateCreated", "DateUpdated", "DateRemoved", "StateUpdated"})
ONLY_OF_CHANNELS: Final = frozenset(
    {
        "ChannelMetadata",
        "ContentSid",
        "Media",
        "MessageBody",
        "MessagingBinding.Address",
        "MessagingBinding.AuthorAddress",
        "MessagingBinding.Level",
        "MessagingBinding.Name",
        "MessagingBinding.ProjectedAddress",
        "MessagingBinding.ProxyAddress",
        "MessagingBinding.Type",
        "Subject",
    }
)
"""Parameters that the examples leave out."""
VALUES: Final = {
    "Attributes": "{}",
    "Author": _IDENTITY,
    "Body": "Hello from a sample",
    "ChannelMessageSid": "SM" + "0" * 31 + "1",
    "ClientIdentity": _IDENTITY,
    "ConversationSid": "CH" + "0" * 31 + "1",
    "DeliveryReceiptSid": "DY" + "0" * 31 + "1",
    "ErrorCode": "0",
    "FriendlyName": "A sample",
    "Identity": _IDENTITY,
    "Index": "0",
    "LastReadMessageIndex": "0",
    "MessageSid": "IM" + "0" * 31 + "1",
    "MessagingServiceSid": "MG" + "0" * 31 + "1",
    "ParticipantSid": "MB" + "0" * 31 + "1",
    "Reason": "API",
    "RetryCount": "0",
    "RoleSid": "RL" + "0" * 31 + "1",
    "Source": "SDK",
    "State": "active",
    "StateFrom": "active",
    "StateTo": "closed",
    "Status": "delivered",
    "UniqueName": "sample",
    "UserSid": "US" + "0" * 31 + "1",
    "isNotifiable": "true",
    "isOnline": "true",
}
"""Values of parameters that depend neither on the account nor on the time."""
EVENTS: Final = (*event_names.PRE_ACTION, *event_names.POST_ACTION)


def example_parameters(event_name: str, scope: Scope, now_ms: int) -> dict[str, str]:
    """Return example parameters of an event."""
    values = VALUES | {
        "EventType": event_name,
        "AccountSid": scope.account_sid,
        "ChatServiceSid": "IS" + "0" * 31 + "1",
        **dict.fromkeys(_DATES, format_date_ms(now_ms)),
    }
    return {name: values[name] for name in sorted(parameter_names(event_name) - ONLY_OF_CHANNELS)}
