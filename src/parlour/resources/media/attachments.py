"""Media as parts of a message: what a message keeps of each, and how each interface names it.

A message keeps its media as a JSON array. One function makes every view of it, so that no interface
can show a member that another one lacks by mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.resources.media.store import Media


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """What a message keeps of a medium.

    ``is_content`` marks what the server made of a content template. It belongs to the body: only
    clients see it, which look for it there. It is no file that a user attached.
    """

    sid: str
    size: int
    content_type: str
    filename: str | None
    category: str = "media"
    is_content: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class AttachmentView(NamedTuple):
    """How an interface shows a medium: its name for each member, in order."""

    names: dict[str, str]
    shows_content: bool = False
    shows_null: bool = True


REST: Final = AttachmentView(
    {each: each for each in "category filename size content_type sid".split()}
)
COMMANDS: Final = AttachmentView(REST.names, shows_content=True)
"""Answers to commands of clients."""
REALTIME: Final = AttachmentView(REST.names | {"content_type": "contentType"}, shows_content=True)
"""Items of the list of messages that clients subscribe to."""
WEBHOOKS: Final = AttachmentView(
    {"sid": "Sid", "filename": "Filename", "content_type": "ContentType", "size": "Size"},
    shows_null=False,
)

_decode: Final = msgspec.json.Decoder(list[Attachment]).decode
_encode: Final = msgspec.json.Encoder().encode


def attachments_json(media: Iterable[Media]) -> str | None:
    """Return what a message keeps of its media; None if it has none."""
    kept = [
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
    return _encode(kept).decode() if kept else None


def represent_attachments(kept: str | None, form: AttachmentView) -> list[dict[str, Any]]:
    """Return the media of a message as an interface shows them."""
    if kept is None:
        return []
    return [
        {
            name: value
            for member, name in form.names.items()
            if (value := getattr(each, member)) is not None or form.shows_null
        }
        for each in _decode(kept)
        if form.shows_content or not each.is_content
    ]


def user_attachments_json(kept: str | None) -> str | None:
    """Return what a message keeps of the files that were attached to it; None if there are none."""
    if kept is None:
        return None
    files = [each for each in _decode(kept) if not each.is_content]
    return _encode(files).decode() if files else None
