"""The representation of media: the record that the client SDKs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations.call import View
from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.resources.media.actions import MediaSetEntry, MediaView


class SigningView(View, frozen=True, kw_only=True):
    """A view that also signs temporary URLs: ``direct_url`` returns the URL of a medium."""

    direct_url: Callable[[Any], str]


def represent_media(found: MediaView, view: View) -> dict[str, Any]:
    """Return the media record, with a URL that serves the bytes for a few minutes."""
    assert isinstance(view, SigningView)
    medium = found.medium
    url = f"{view.root_url}/Services/{medium.service_sid}/Media/{medium.sid}"
    created = format_date_ms(medium.date_created)
    return {
        "sid": medium.sid,
        "account_sid": medium.account_sid,
        "service_sid": medium.service_sid,
        "channel_sid": found.conversation_sid,
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
        "links": {"content": f"{url}/Content", "content_direct_temporary": view.direct_url(found)},
    }


def represent_media_set_entry(entry: MediaSetEntry, view: View) -> dict[str, Any]:
    """Return one entry of a set: the record, or 404 and the SID that was requested."""
    if entry.found is None:
        return {"code": 404, "media_record": {"sid": entry.sid}}
    return {"code": 200, "media_record": represent_media(entry.found, view)}
