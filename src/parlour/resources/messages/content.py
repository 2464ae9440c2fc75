"""The content of a new message: a body and media, or a rendered content template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.resources.content_templates import rendering as content_template_rendering
from parlour.resources.content_templates import store as content_template_store
from parlour.resources.media import store as media_store
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.resources.media.store import Media
    from parlour.resources.messages.parameters import CreateMessage
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

BODY: Final = "body"
"""The category of a medium that is part of the text."""


class MessageContent(msgspec.Struct, frozen=True):
    """The body of a message, and its media: uploaded ones, or the one rendered from a template."""

    body: str | None
    media: list[Media]


async def build_content(tx: Transaction, scope: Scope, change: CreateMessage) -> MessageContent:
    """Return the content of a new message; a template replaces body and media.

    Raises 50526, 50504 (template), 50528 (variables without one), 50507, 50508, 50512 (media).
    """
    variables = None if change.content_variables is UNSET else change.content_variables
    if change.content_sid is not UNSET:
        return await _content_from_template(tx, scope, change.content_sid, variables)
    if variables is not None:
        raise ApiError(50528)
    media_sids = [] if change.media_sid is UNSET else [change.media_sid]
    if change.media_sids is not UNSET:
        media_sids = change.media_sids
    body = None if change.body is UNSET else change.body
    return MessageContent(body, await _unattached_media(tx, scope, media_sids))


async def save_media(
    tx: Transaction, scope: Scope, content: MessageContent, message_sid: str
) -> None:
    """Attach the media to their message, and insert the rendered one."""
    for each in content.media:
        if each.content is None:
            await media_store.attach_media(tx, scope, each, message_sid)
        else:
            made = msgspec.structs.replace(each, message_sid=message_sid)
            await media_store.insert_media(tx, scope, made)


async def _content_from_template(
    tx: Transaction, scope: Scope, template_sid: str, variables: str | None
) -> MessageContent:
    """Return the text of a template, and its content as a medium without a blob."""
    template = await content_template_store.find_content_template(tx, scope, template_sid)
    if template is None:
        raise ApiError(50526)
    body = content_template_rendering.render_text(template, variables)
    made = content_template_rendering.render_content(template, variables)
    medium = media_store.new_media(
        tx,
        scope,
        tx.new_sid(sids.MEDIA),
        size=len(made.json.encode()),
        content_type=made.content_type,
        filename=None,
        category=BODY,
        author=tx.origin.client_identity,
        content=made.json,
    )
    return MessageContent(body, [medium])


async def _unattached_media(tx: Transaction, scope: Scope, media_sids: list[str]) -> list[Media]:
    """Return unattached media of the service; for a connected user, only the user's own."""
    assert len(media_sids) <= limits.MEDIA_PER_MESSAGE_MAX
    identity = tx.origin.client_identity
    media: dict[str, Media] = {}
    for sid in media_sids:
        found = await media_store.find_media(tx, scope, sid)
        if found is None or (identity is not None and found.author != identity):
            raise ApiError(50507)
        if found.message_sid is not None or sid in media:
            raise ApiError(50508)
        media[sid] = found
    if sum(each.size for each in media.values()) > limits.MEDIA_PER_MESSAGE_BYTES_MAX:
        raise ApiError(50512, status=400)
    return list(media.values())
