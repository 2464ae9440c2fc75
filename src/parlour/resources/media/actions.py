"""What happens to media, and who sees them.

A medium that no message carries is its uploader's; one that a message carries is for whoever takes
part in the conversation now. The account sees both. Whoever sees nothing gets the answer for a
medium that never was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations import scoping
from parlour.resources.accounts import store as account_store
from parlour.resources.accounts.actions import ACTIVE
from parlour.resources.media import store as media_store
from parlour.resources.media.store import Media
from parlour.resources.participants import store as participant_store
from parlour.resources.users import provisioning as user_provisioning
from parlour.resources.users import store as user_store
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Upload(msgspec.Struct, frozen=True):
    """What came in: its name is its sid, and its bytes are kept already."""

    sid: str
    size: int
    content_type: str
    filename: str | None
    category: str


class MediaView(msgspec.Struct, frozen=True):
    """A medium as somebody may see it; ``user_sid`` is empty for the account itself."""

    medium: Media
    conversation_sid: str | None
    user_sid: str


async def require_upload_allowed(tx: Transaction, scope: Scope, identity: str | None) -> None:
    """Raise 404 without a service, and 429 for a user of whom too much waits for a message."""
    if not await scoping.service_exists(tx, scope):
        raise ApiError.not_found(f"/Services/{scope.service_sid}/Media")
    if identity is None:
        return
    count, size = await media_store.count_unattached_media(tx, scope, identity)
    if (
        count >= limits.UNATTACHED_PER_UPLOADER_MAX
        or size >= limits.UNATTACHED_BYTES_PER_UPLOADER_MAX
    ):
        raise ApiError(20429, "Too many media of this user wait for a message.")


async def add_media(
    tx: Transaction, scope: Scope, identity: str | None, upload: Upload
) -> MediaView:
    """Keep what was uploaded; an identity that turns up with it becomes a user.

    Raises what ``require_upload_allowed`` raises: much may have changed meanwhile.
    """
    await require_upload_allowed(tx, scope, identity)
    user_sid = ""
    if identity is not None:
        user_sid = (await user_provisioning.ensure_user(tx, scope, identity)).sid
    medium = Media(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        sid=upload.sid,
        message_sid=None,
        size=upload.size,
        content_type=upload.content_type,
        filename=upload.filename,
        category=upload.category,
        author=identity,
        content=None,
        date_created=tx.now,
        date_updated=tx.now,
    )
    await media_store.insert_media(tx, scope, medium)
    return MediaView(medium, None, user_sid)


async def find_visible(
    tx: Transaction, scope: Scope, identity: str | None, sid: str
) -> MediaView | None:
    """The medium, if this caller may see it now: the account, or one of its users."""
    if not sids.is_sid(sids.MEDIA, sid) or not await scoping.service_exists(tx, scope):
        return None
    medium = await media_store.find_media(tx, scope, sids.normal(sid))
    if medium is None:
        return None
    conversation_sid = None
    if medium.message_sid is not None:
        conversation_sid = await media_store.find_conversation_sid_of_message(
            tx, scope, medium.message_sid
        )
        if conversation_sid is None:
            return None
    if identity is None:
        return MediaView(medium, conversation_sid, "")
    if not await _is_for(tx, scope, identity, medium, conversation_sid):
        return None
    user = await user_store.find_user_by_identity(tx, scope, identity)
    return None if user is None else MediaView(medium, conversation_sid, user.sid)


async def _is_for(
    tx: Transaction, scope: Scope, identity: str, medium: Media, conversation_sid: str | None
) -> bool:
    if conversation_sid is None:
        return medium.author == identity
    found = await participant_store.find_participant_by_identity(
        tx, scope, conversation_sid, identity
    )
    return found is not None


async def find_visible_as_user(
    tx: Transaction, scope: Scope, user_sid: str, sid: str
) -> MediaView | None:
    """The medium, if the user with this sid may see it now; no sid stands for the account.

    Nobody sees anything of an account that is suspended or closed.
    """
    account = await account_store.find_account(tx, scope)
    if account is None or account.status != ACTIVE:
        return None
    if not user_sid:
        return await find_visible(tx, scope, None, sid)
    user = await user_store.find_user(tx, scope, user_sid)
    return None if user is None else await find_visible(tx, scope, user.identity, sid)
