"""The JSON of a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.conversation_summaries.actions import ConversationSummary
    from parlour.resources.conversation_summaries.store import LastMessage


def resource(summary: ConversationSummary, view: View) -> dict[str, Any]:
    """Return one summary; its URL is the conversation's, in its service."""
    conversation = summary.conversation
    service_url = f"{view.root_url}/Services/{conversation.service_sid}"
    url = f"{service_url}/Conversations/{conversation.sid}"
    return {
        "sid": conversation.sid,
        "account_sid": conversation.account_sid,
        "chat_service_sid": conversation.service_sid,
        "friendly_name": conversation.friendly_name,
        "unique_name": conversation.unique_name,
        "state": conversation.state,
        "date_created": format_date_ms(conversation.date_created),
        "date_updated": format_date_ms(conversation.date_updated),
        "last_activity": format_date_ms(conversation.last_activity // 1000),
        "participants_count": summary.participants_count,
        "messages_count": conversation.next_message_index - conversation.removed_messages,
        "last_message": _last_message(summary.last_message),
        "url": url,
        "links": {
            "participants": f"{url}/Participants",
            "messages": f"{url}/Messages",
            "webhooks": f"{url}/Webhooks",
        },
    }


def _last_message(message: LastMessage | None) -> dict[str, Any] | None:
    if message is None:
        return None
    return {
        "sid": message.sid,
        "index": message.message_index,
        "author": message.author,
        "body": message.body,
        "has_media": message.has_media,
        "date_created": format_date_ms(message.date_created),
    }
