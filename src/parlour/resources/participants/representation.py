"""Representations of participants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol.timestamps import format_date, format_date_ms
from parlour.protocol.webhook_parameters import DATES, EXISTING, UPDATED, WebhookParameter
from parlour.vocabulary import client_urls
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.participants.store import Participant


def _binding_type(value: str | None) -> str:
    return value or "chat"


# The members of webhook requests; resources/webhook_forms.py adds those that every request has.
WEBHOOK_PARAMETERS: Final = (
    *DATES,
    WebhookParameter("ConversationSid", "conversation_sid"),
    WebhookParameter("ParticipantSid", "sid", phases=EXISTING),
    WebhookParameter("Identity", "identity"),
    WebhookParameter("RoleSid", "role_sid"),
    WebhookParameter("Attributes", "attributes"),
    WebhookParameter("MessagingBinding.ProxyAddress", "proxy_address"),
    WebhookParameter("MessagingBinding.Address", "address"),
    WebhookParameter("MessagingBinding.ProjectedAddress", "projected_address"),
    WebhookParameter("MessagingBinding.Type", "binding_type", _binding_type),
    WebhookParameter("MessagingBinding.Level", "binding_level"),
    WebhookParameter("MessagingBinding.Name", "binding_name"),
    WebhookParameter("LastReadMessageIndex", "last_read_message_index", phases=UPDATED),
)


class ParticipantResource(msgspec.Struct, frozen=True, gc=False):
    """A participant as REST shows it, members in documented order; UNSET ones are left out."""

    account_sid: str
    chat_service_sid: str | msgspec.UnsetType
    conversation_sid: str
    sid: str
    identity: str | None
    attributes: str
    messaging_binding: dict[str, str] | None
    role_sid: str | None
    date_created: str
    date_updated: str
    url: str
    last_read_message_index: int | None
    last_read_timestamp: str | None


def messaging_binding(participant: Participant) -> dict[str, str] | None:
    """Return the members that are set; None for a participant that is reached by chat only."""
    if participant.binding_type is None:
        return None
    shown = {"type": participant.binding_type}
    for name in ("address", "proxy_address", "projected_address"):
        text = getattr(participant, name)
        if text is not None:
            shown[name] = text
    if participant.binding_level is not None:
        shown["level"] = participant.binding_level
    if participant.binding_name is not None:
        shown["name"] = participant.binding_name
    return shown


def resource(participant: Participant, view: View) -> ParticipantResource:
    """Return the REST resource."""
    conversation_sid, sid = participant.conversation_sid, participant.sid
    read_at = participant.last_read_timestamp
    # Positional arguments are faster, and a page has hundreds of participants.
    return ParticipantResource(
        participant.account_sid,
        participant.service_sid if view.shows_service else msgspec.UNSET,
        conversation_sid,
        sid,
        participant.identity,
        participant.attributes,
        None if participant.binding_type is None else messaging_binding(participant),
        participant.role_sid,
        format_date(participant.date_created),
        format_date(participant.date_updated),
        f"{view.base_url}/Conversations/{conversation_sid}/Participants/{sid}",
        participant.last_read_message_index,
        None if read_at is None else format_date(read_at),
    )


def _date(ms: int | None) -> str | None:
    return None if ms is None else format_date_ms(ms)


def realtime_item(participant: Participant, user_sid: str | None) -> dict[str, Any]:
    """Return the entry in the conversation's roster; ``user_sid`` is None without a user."""
    binding = messaging_binding(participant) or {}
    is_email = participant.identity is None and participant.binding_type == "email"
    email = {name: binding.get(name) for name in ("name", "address", "level")}
    shown: dict[str, Any] = {
        "identity": participant.identity,
        "type": "chat" if participant.identity is not None else participant.binding_type,
        "roleSid": participant.role_sid,
        "attributes": participant.attributes,
        "dateCreated": format_date_ms(participant.date_created),
        "dateUpdated": format_date_ms(participant.date_updated),
        "lastConsumedMessageIndex": participant.last_read_message_index,
        "lastConsumptionTimestamp": _date(participant.last_read_timestamp),
        "bindings": {"email": email} if is_email else {},
    }
    if user_sid is not None:
        shown["userInfo"] = ObjectName(ObjectKind.USER_INFO, user_sid).unique_name
    return shown


def my_conversation_item(participant: Participant) -> dict[str, Any]:
    """Return the entry of a user's conversation in the user's own map."""
    conversation_sid = participant.conversation_sid
    return {
        "status": "joined",
        "channel": ObjectName(ObjectKind.CONVERSATION, conversation_sid).unique_name,
        "messages": ObjectName(ObjectKind.MESSAGES, conversation_sid).unique_name,
        "roster": ObjectName(ObjectKind.ROSTER, conversation_sid).unique_name,
        "lastConsumedMessageIndex": participant.last_read_message_index,
        "notificationLevel": participant.notification_level,
    }


def client_resource(participant: Participant) -> dict[str, Any]:
    """Return what clients see of a participant, in the response to a command."""
    conversation_url = f"{client_urls.COMMANDS}/Conversations/{participant.conversation_sid}"
    read_at = participant.last_read_timestamp
    return {
        "account_sid": participant.account_sid,
        "chat_service_sid": participant.service_sid,
        "conversation_sid": participant.conversation_sid,
        "sid": participant.sid,
        "role_sid": participant.role_sid,
        "identity": participant.identity,
        "attributes": participant.attributes,
        "date_created": format_date_ms(participant.date_created),
        "date_updated": format_date_ms(participant.date_updated),
        "last_read_message_index": participant.last_read_message_index,
        "last_read_timestamp": None if read_at is None else format_date_ms(read_at),
        "messaging_binding": messaging_binding(participant),
        "url": f"{conversation_url}/Participants/{participant.sid}",
        "links": {"conversation": conversation_url},
    }
