"""Parameters of triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

_name = parsers.text(limits.ADDRESS_CHARS_MAX)


class CreateTrigger(Parameters):
    """An event, and the objects that it is about; in addition any parameter of its operation."""

    event_type: str = form_field("EventType", _name, required=True)
    chat_service_sid: str | Unset = form_field("ChatServiceSid", _name)
    conversation_sid: str | Unset = form_field("ConversationSid", _name)
    participant_sid: str | Unset = form_field("ParticipantSid", _name)
    message_sid: str | Unset = form_field("MessageSid", _name)
    user_sid: str | Unset = form_field("UserSid", _name)
    identity: str | Unset = form_field("Identity", _name)
    address: str | Unset = form_field("Address", _name)
    proxy_address: str | Unset = form_field("ProxyAddress", _name)
