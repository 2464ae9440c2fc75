"""Representations of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol.timestamps import format_date, format_date_ms
from parlour.protocol.webhook_parameters import ADDED, DATES, EXISTING, WebhookParameter
from parlour.resources.media import attachments as media_attachments
from parlour.vocabulary import client_urls

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.messages.store import Message, ReceiptCounts

# The members of webhook requests; resources/webhook_forms.py adds those that every request has.
WEBHOOK_PARAMETERS: Final = (
    *DATES,
    WebhookParameter("ConversationSid", "conversation_sid"),
    WebhookParameter("MessageSid", "sid", phases=EXISTING),
    WebhookParameter("Index", "message_index", phases=EXISTING),
    WebhookParameter("MessagingServiceSid", "messaging_service_sid", phases=ADDED),
    WebhookParameter("Author", "author"),
    WebhookParameter("ParticipantSid", "participant_sid"),
    WebhookParameter("Body", "body"),
    WebhookParameter("Subject", "subject"),
    WebhookParameter("ContentSid", "content_sid"),
    WebhookParameter("Attributes", "attributes"),
    WebhookParameter("Media", "media", media_attachments.webhook_text),
)

ALL: Final = "all"
SOME: Final = "some"
NONE: Final = "none"


class _Links(msgspec.Struct, frozen=True, gc=False):
    """The links of a message."""

    delivery_receipts: str
    channel_metadata: str


class MessageResource(msgspec.Struct, frozen=True, gc=False):
    """A message as REST shows it, members in documented order; UNSET ones are left out."""

    sid: str
    account_sid: str
    chat_service_sid: str | msgspec.UnsetType
    conversation_sid: str
    body: str | None
    media: list[dict[str, Any]] | None
    author: str
    participant_sid: str | None
    attributes: str
    date_created: str
    date_updated: str
    index: int
    delivery: dict[str, int | str] | None
    content_sid: str | None
    url: str
    links: _Links


def delivery(counted: Message | ReceiptCounts) -> dict[str, int | str] | None:
    """Return the summary of the receipts; None without recipients outside the chat."""
    total = counted.receipts_total
    if not total:
        return None

    def share(reached: int) -> str:
        if not reached:
            return NONE
        return ALL if reached == total else SOME

    return {
        "total": total,
        "sent": share(counted.receipts_sent),
        "delivered": share(counted.receipts_delivered),
        "read": share(counted.receipts_read),
        "failed": share(counted.receipts_failed),
        "undelivered": share(counted.receipts_undelivered),
    }


def resource(message: Message, view: View) -> MessageResource:
    """Return the REST resource. The subject is never shown."""
    conversation_sid, sid = message.conversation_sid, message.sid
    created, updated = message.date_created, message.date_updated
    date_created = format_date(created)
    url = f"{view.base_url}/Conversations/{conversation_sid}/Messages/{sid}"
    media = None
    if message.media is not None:
        media = (
            media_attachments.represent_attachments(message.media, media_attachments.REST) or None
        )
    # Positional arguments are faster, and a page has hundreds of messages.
    return MessageResource(
        sid,
        message.account_sid,
        message.service_sid if view.shows_service else msgspec.UNSET,
        conversation_sid,
        # Without media the text of an empty message is "", with media null; client SDKs get null.
        "" if message.body is None and media is None else message.body,
        media,
        message.author,
        message.participant_sid,
        message.attributes,
        date_created,
        date_created if updated == created else format_date(updated),
        message.message_index,
        delivery(message) if message.receipts_total else None,
        message.content_sid,
        url,
        _Links(f"{url}/Receipts", f"{url}/ChannelMetadata"),
    )


def realtime_item(message: Message) -> dict[str, Any]:
    """Return the message's entry in its conversation's list; the list's index is the message's."""
    shown: dict[str, Any] = {
        "sid": message.sid,
        "author": message.author,
        "text": message.body,
        "type": "text",
        "timestamp": format_date_ms(message.date_created),
        "dateUpdated": format_date_ms(message.date_updated),
        "lastUpdatedBy": message.last_updated_by,
        "attributes": message.attributes,
        "memberSid": message.participant_sid,
        "subject": message.subject,
        "contentSid": message.content_sid,
    }
    counted = delivery(message)
    if counted is not None:
        shown["delivery"] = counted
    medias = media_attachments.represent_attachments(message.media, media_attachments.REALTIME)
    if medias:
        # "media" repeats the first one for older clients. Clients up to 2.4 look for the content
        # of a template only in messages of this type.
        shown |= {"type": "media", "medias": medias, "media": medias[0]}
    return shown


def client_resource(message: Message) -> dict[str, Any]:
    """Return what clients see of a message, in the response to a command."""
    conversation_url = f"{client_urls.COMMANDS}/Conversations/{message.conversation_sid}"
    url = f"{conversation_url}/Messages/{message.sid}"
    return {
        "account_sid": message.account_sid,
        "chat_service_sid": message.service_sid,
        "conversation_sid": message.conversation_sid,
        "sid": message.sid,
        "index": message.message_index,
        "author": message.author,
        "participant_sid": message.participant_sid,
        "body": message.body,
        "subject": message.subject,
        "attributes": message.attributes,
        "date_created": format_date_ms(message.date_created),
        "date_updated": format_date_ms(message.date_updated),
        "media": media_attachments.represent_attachments(message.media, media_attachments.COMMANDS)
        or None,
        "content_sid": message.content_sid,
        "delivery": delivery(message),
        "url": url,
        "links": {"conversation": conversation_url, "messages_receipts": f"{url}/Receipts"},
    }
