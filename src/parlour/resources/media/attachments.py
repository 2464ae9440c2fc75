"""Media as parts of a message: the stored snapshot, and its members in each interface.

A message stores its media as a JSON array. One function makes every view of it, so that
no interface can show a member that another one lacks by mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.resources.media.store import Media


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot of a medium in its message.

    ``is_content`` marks a medium that the server generated from a content template. It belongs to
    the body: only clients see it, as their SDK reads the body there. No user attached it.
    """

    sid: str
    size: int
    content_type: str
    filename: str | None
    category: str = "media"
    is_content: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class AttachmentView(NamedTuple):
    """The view of a medium in an interface: the name of each member, in order."""

    names: dict[str, str]
    shows_content: bool = False
    shows_null: bool = True


REST: Final = AttachmentView(
    {each: each for each in "category filename size content_type sid".split()}
)
COMMANDS: Final = AttachmentView(REST.names, shows_content=True)
"""Replies to commands of clients."""
REALTIME: Final = AttachmentView(REST.names | {"content_type": "contentType"}, shows_content=True)
"""Items of the list of messages that clients subscribe to."""
WEBHOOKS: Final = AttachmentView(
    {"sid": "Sid", "filename": "Filename", "content_type": "ContentType", "size": "Size"},
    shows_null=False,
)

_decode: Final = msgspec.json.Decoder(list[Attachment]).decode
_encode: Final = msgspec.json.Encoder().encode


def attachments_json(media: Iterable[Media]) -> str | None:
    """Return the snapshots of a message's media as JSON; None if it has none."""
    snapshots = [
        Attachment(
            sid=each.sid,
            size=each.size,
            content_type=each.content_type,
            filename=each.filename,
            category=each.category,
            is_content=msgspec.UNSET if each.content is None else True,
        )
        for each in media
    ]
    return _encode(snapshots).decode() if snapshots else None


def represent_attachments(media_json: str | None, form: AttachmentView) -> list[dict[str, Any]]:
    """Return the media of a message in the form of an interface."""
    if media_json is None:
        return []
    return [
        {
            name: value
            for member, name in form.names.items()
            if (value := getattr(each, member)) is not None or form.shows_null
        }
        for each in _decode(media_json)
        if form.shows_content or not each.is_content
    ]


def webhook_text(media_json: str | None) -> str:
    """Return the media of a message as JSON for webhooks; empty if it has none."""
    shown = represent_attachments(media_json or None, WEBHOOKS)
    return _encode(shown).decode() if shown else ""


def user_attachments_json(media_json: str | None) -> str | None:
    """Return the snapshots of the files that users attached, as JSON; None if there are none."""
    if media_json is None:
        return None
    files = [each for each in _decode(media_json) if not each.is_content]
    return _encode(files).decode() if files else None
