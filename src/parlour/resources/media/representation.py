"""What is shown of a medium: the record that the client SDKs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from parlour.resources.media.actions import MediaView


def represent_media(seen: MediaView, *, root_url: str, direct_url: str) -> dict[str, Any]:
    """The media record; ``direct_url`` is where its bytes are for a few minutes."""
    medium = seen.medium
    url = f"{root_url}/v1/Services/{medium.service_sid}/Media/{medium.sid}"
    created = format_date_ms(medium.date_created)
    return {
        "sid": medium.sid,
        "account_sid": medium.account_sid,
        "service_sid": medium.service_sid,
        "channel_sid": seen.conversation_sid,
        "message_sid": medium.message_sid,
        "date_created": created,
        "date_upload_updated": created,
        "date_updated": format_date_ms(medium.date_updated),
        "size": medium.size,
        "content_type": medium.content_type,
        "filename": medium.filename,
        "category": medium.category,
        "author": medium.author,
        "is_multipart_upstream": False,
        "url": url,
        "links": {"content": f"{url}/Content", "content_direct_temporary": direct_url},
    }
