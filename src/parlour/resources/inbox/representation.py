"""The JSON of an inbound message that the server could not process, for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms
from parlour.resources.inbox.message import decode_message

if TYPE_CHECKING:
    from parlour.resources.inbox.store import InboxEntry


def row(entry: InboxEntry) -> dict[str, Any]:
    """Return one message; without what its content has if the content cannot be read."""
    assert entry.content is not None, entry.key
    try:
        message = decode_message(entry.content)
    except (ValueError, RecursionError):
        message = None
    return {
        "sid": entry.channel_message_sid,
        "account_sid": entry.account_sid,
        "carrier": entry.carrier,
        "provider_id": entry.provider_id,
        "channel": message.channel if message else None,
        "from": message.sender if message else None,
        "to": entry.receiver,
        "group": list(message.group) if message else None,
        "body": message.body if message else None,
        "media": len(message.media) if message else None,
        "reason": entry.reason,
        "date_created": format_date_ms(entry.date_created),
        "date_updated": format_date_ms(entry.date_updated),
    }
