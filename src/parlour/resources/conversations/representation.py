"""What is shown of a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from parlour.vocabulary.objects import Kind, ObjectName
from parlour.vocabulary.values import write_date, write_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.conversations.store import Conversation


class HasTimers(Protocol):
    """A record with the dates of a conversation's timers."""

    @property
    def date_inactive(self) -> int | None:
        """When it becomes inactive."""
        ...

    @property
    def date_closed(self) -> int | None:
        """When it closes."""
        ...


def timers(conversation: HasTimers) -> dict[str, str]:
    """The dates at which timers will act; only those that are set."""
    shown = {}
    if conversation.date_inactive is not None:
        shown["date_inactive"] = write_date(conversation.date_inactive)
    if conversation.date_closed is not None:
        shown["date_closed"] = write_date(conversation.date_closed)
    return shown


def bindings(conversation: Conversation) -> dict[str, Any]:
    """The e-mail binding, if there is one: a name alone is kept, and shown with its address."""
    if conversation.email_address is None:
        return {}
    return {
        "email": {
            "projected_address": conversation.email_address,
            "name": conversation.email_name,
        }
    }


def resource(conversation: Conversation, view: View) -> dict[str, Any]:
    """The REST resource, keys in documented order."""
    url = f"{view.base_url}/Conversations/{conversation.sid}"
    return {
        "sid": conversation.sid,
        "account_sid": conversation.account_sid,
        "chat_service_sid": conversation.service_sid,
        "messaging_service_sid": conversation.messaging_service_sid,
        "friendly_name": conversation.friendly_name,
        "unique_name": conversation.unique_name,
        "attributes": conversation.attributes,
        "date_created": write_date(conversation.date_created),
        "date_updated": write_date(conversation.date_updated),
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
    """The conversation's document; ``last_message`` is the index and date of the newest one."""
    updated = write_date_ms(conversation.date_updated)
    shown: dict[str, Any] = {
        "sid": conversation.sid,
        "friendlyName": conversation.friendly_name,
        "uniqueName": conversation.unique_name,
        "attributes": conversation.attributes,
        "createdBy": conversation.created_by,
        "dateCreated": write_date_ms(conversation.date_created),
        "dateUpdated": updated,
        "state": {"current": conversation.state, "dateUpdated": updated},
        "bindings": bindings(conversation),
        "messages": ObjectName(Kind.MESSAGES, conversation.sid).unique_name,
        "roster": ObjectName(Kind.ROSTER, conversation.sid).unique_name,
    }
    if last_message is not None:
        index, date_ms = last_message
        shown["lastMessage"] = {"index": index, "timestamp": write_date_ms(date_ms)}
    return shown
