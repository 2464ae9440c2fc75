"""Representations of conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from parlour.protocol.timestamps import format_date, format_date_ms
from parlour.protocol.webhook_parameters import EXISTING, REMOVED, WebhookParameter, date_text
from parlour.vocabulary import client_urls
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.conversations.store import Conversation

# The members of webhook requests; resources/webhook_forms.py adds those that every request has.
WEBHOOK_PARAMETERS: Final = (
    WebhookParameter("DateCreated", "date_created", date_text, EXISTING),
    WebhookParameter("DateUpdated", "date_updated", date_text, EXISTING),
    WebhookParameter("DateRemoved", "date_removed", date_text, REMOVED),
    WebhookParameter("ConversationSid", "sid", phases=EXISTING),
    WebhookParameter("FriendlyName", "friendly_name"),
    WebhookParameter("UniqueName", "unique_name"),
    WebhookParameter("Attributes", "attributes"),
    WebhookParameter("MessagingServiceSid", "messaging_service_sid"),
    WebhookParameter("State", "state"),
)

WEBHOOK_STATE_PARAMETERS: Final = (
    WebhookParameter("ConversationSid", "sid"),
    WebhookParameter("MessagingServiceSid", "messaging_service_sid"),
    WebhookParameter("StateUpdated", "date_ms", date_text),
    WebhookParameter("StateFrom", "state_from"),
    WebhookParameter("StateTo", "state"),
    WebhookParameter("Reason", "reason"),
)


class ConversationFields(Protocol):
    """A record with the fields of a conversation that clients see."""

    @property
    def account_sid(self) -> str:
        """The account that owns it."""
        ...

    @property
    def service_sid(self) -> str:
        """The service it is in."""
        ...

    @property
    def friendly_name(self) -> str | None:
        """The name shown to users."""
        ...

    @property
    def unique_name(self) -> str | None:
        """The name used by applications."""
        ...

    @property
    def attributes(self) -> str:
        """Data of the application, as JSON text."""
        ...

    @property
    def created_by(self) -> str:
        """The identity of its creator, or ``system``."""
        ...

    @property
    def state(self) -> str:
        """Active, inactive, closed or initializing."""
        ...

    @property
    def date_created(self) -> int:
        """The time of creation."""
        ...

    @property
    def date_updated(self) -> int:
        """The time of the last change."""
        ...


class TimerFields(Protocol):
    """A record with the dates of a conversation's timers."""

    @property
    def date_inactive(self) -> int | None:
        """The time at which it becomes inactive."""
        ...

    @property
    def date_closed(self) -> int | None:
        """The time at which it closes."""
        ...


def timers(conversation: TimerFields) -> dict[str, str]:
    """Return the dates at which timers expire, without those that are off."""
    shown = {}
    if conversation.date_inactive is not None:
        shown["date_inactive"] = format_date(conversation.date_inactive)
    if conversation.date_closed is not None:
        shown["date_closed"] = format_date(conversation.date_closed)
    return shown


def bindings(conversation: Conversation) -> dict[str, Any] | None:
    """Return the e-mail binding, or None without an address: a name alone is stored, not shown."""
    if conversation.email_address is None:
        return None
    return {
        "email": {
            "projected_address": conversation.email_address,
            "name": conversation.email_name,
        }
    }


def resource(conversation: Conversation, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    url = f"{view.base_url}/Conversations/{conversation.sid}"
    return {
        "sid": conversation.sid,
        "account_sid": conversation.account_sid,
        "chat_service_sid": conversation.service_sid,
        "messaging_service_sid": conversation.messaging_service_sid,
        "friendly_name": conversation.friendly_name,
        "unique_name": conversation.unique_name,
        "attributes": conversation.attributes,
        "date_created": format_date(conversation.date_created),
        "date_updated": format_date(conversation.date_updated),
        "state": conversation.state,
        "timers": timers(conversation),
        "bindings": bindings(conversation),
        "url": url,
        "links": {
            "participants": f"{url}/Participants",
            "messages": f"{url}/Messages",
            "webhooks": f"{url}/Webhooks",
            "export": f"{url}/Export",
        },
    }


def realtime_document(
    conversation: Conversation, last_message: tuple[int, int] | None
) -> dict[str, Any]:
    """Return the conversation's document; ``last_message`` is the newest one's index and date."""
    updated = format_date_ms(conversation.date_updated)
    shown: dict[str, Any] = {
        "sid": conversation.sid,
        "friendlyName": conversation.friendly_name,
        "uniqueName": conversation.unique_name,
        "attributes": conversation.attributes,
        "createdBy": conversation.created_by,
        "dateCreated": format_date_ms(conversation.date_created),
        "dateUpdated": updated,
        "state": {"current": conversation.state, "dateUpdated": updated},
        "bindings": bindings(conversation) or {},
        "messages": ObjectName(ObjectKind.MESSAGES, conversation.sid).unique_name,
        "roster": ObjectName(ObjectKind.ROSTER, conversation.sid).unique_name,
    }
    if last_message is not None:
        index, date_ms = last_message
        shown["lastMessage"] = {"index": index, "timestamp": format_date_ms(date_ms)}
    return shown


def client_resource(conversation: ConversationFields, sid: str) -> dict[str, Any]:
    """Return what every client sees of a conversation, in the response to a command."""
    url = f"{client_urls.COMMANDS}/Conversations/{sid}"
    return {
        "account_sid": conversation.account_sid,
        "chat_service_sid": conversation.service_sid,
        "sid": sid,
        "conversation_sid": sid,
        "friendly_name": conversation.friendly_name,
        "unique_name": conversation.unique_name,
        "attributes": conversation.attributes,
        "created_by": conversation.created_by,
        "date_created": format_date_ms(conversation.date_created),
        "date_updated": format_date_ms(conversation.date_updated),
        "state": conversation.state,
        "url": url,
        "sync_objects": {
            "conversation": ObjectName(ObjectKind.CONVERSATION, sid).unique_name,
            "messages": ObjectName(ObjectKind.MESSAGES, sid).unique_name,
            "participants": ObjectName(ObjectKind.ROSTER, sid).unique_name,
        },
        "links": {"messages": f"{url}/Messages", "participants": f"{url}/Participants"},
    }
