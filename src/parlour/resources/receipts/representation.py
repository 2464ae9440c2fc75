"""Representations of delivery receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.protocol.timestamps import format_date, format_date_ms
from parlour.protocol.webhook_parameters import WebhookParameter, date_text

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.messages.receipt_store import Receipt
    from parlour.resources.receipts.recipients import MessageRecipients


def _error_code(value: int | None) -> str:
    return str(value) if value else ""


# The members of webhook requests; resources/webhook_forms.py adds those that every request has.
WEBHOOK_PARAMETERS: Final = (
    WebhookParameter("ConversationSid", "conversation_sid"),
    WebhookParameter("MessageSid", "message_sid"),
    WebhookParameter("ParticipantSid", "participant_sid"),
    WebhookParameter("DeliveryReceiptSid", "sid"),
    WebhookParameter("ChannelMessageSid", "channel_message_sid"),
    WebhookParameter("Status", "status"),
    WebhookParameter("ErrorCode", "error_code", _error_code),
    WebhookParameter("DateCreated", "date_created", date_text),
    WebhookParameter("DateUpdated", "date_updated", date_text),
)


def resource(receipt: Receipt, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    message = f"/Conversations/{receipt.conversation_sid}/Messages/{receipt.message_sid}"
    shown: dict[str, Any] = {"sid": receipt.sid, "account_sid": receipt.account_sid}
    if view.shows_service:
        shown["chat_service_sid"] = receipt.service_sid
    shown |= {
        "conversation_sid": receipt.conversation_sid,
        "message_sid": receipt.message_sid,
        "channel_message_sid": receipt.channel_message_sid,
        "status": receipt.status,
        "error_code": receipt.error_code,
        "participant_sid": receipt.participant_sid,
        "date_created": format_date(receipt.date_created),
        "date_updated": format_date(receipt.date_updated),
        "url": f"{view.base_url}{message}/Receipts/{receipt.sid}",
    }
    return shown


def client_resource(receipt: Receipt) -> dict[str, Any]:
    """Return what clients see of a receipt."""
    return {
        "sid": receipt.sid,
        "message_sid": receipt.message_sid,
        "conversation_sid": receipt.conversation_sid,
        "channel_message_sid": receipt.channel_message_sid,
        "participant_sid": receipt.participant_sid,
        "status": receipt.status,
        "error_code": receipt.error_code,
        "date_created": format_date_ms(receipt.date_created),
        "date_updated": format_date_ms(receipt.date_updated),
    }


def client_recipients(found: MessageRecipients) -> list[dict[str, Any]]:
    """Return the e-mail sender and recipients of a message."""
    return [
        {
            "message_sid": found.message_sid,
            "type": "email",
            "level": each.level,
            "name": each.name,
            "address": each.address,
        }
        for each in found.recipients
    ]
