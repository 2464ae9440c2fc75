"""The actions of media, and their visibility.

A medium without a message is visible to its uploader; one with a message to the conversation's
current participants. The account sees both. An invisible medium gets the response of a missing one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from parlour.operations import scoping
from parlour.resources.accounts import store as account_store
from parlour.resources.accounts.actions import ACTIVE
from parlour.resources.media import store as media_store
from parlour.resources.participants import store as participant_store
from parlour.resources.users import provisioning as user_provisioning
from parlour.resources.users import store as user_store
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.media.parameters import CreateMedia, FetchMediaSet, Upload
    from parlour.resources.media.store import Media
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class MediaView(msgspec.Struct, frozen=True):
    """A medium that is visible to a viewer; ``user_sid`` is empty for the account itself."""

    medium: Media
    conversation_sid: str | None
    user_sid: str


class MediaSetEntry(NamedTuple):
    """One medium of a set: the SID that was requested, and the medium if it is visible."""

    sid: str
    found: MediaView | None


# --- Operations -------------------------------------------------------------------------


async def create_media(tx: Transaction, call: Call[CreateMedia]) -> MediaView:
    """Upload a file: the bytes themselves, or a form with one file."""
    upload = call.parameters.upload
    assert upload is not UNSET
    return await add_media(tx, call.scope, call.caller.identity, upload)


async def check_upload(tx: Transaction, call: Call[CreateMedia]) -> None:
    """Raise what ``create_media`` would raise now, before the bytes are read."""
    await require_upload_allowed(tx, call.scope, call.caller.identity)


async def fetch_media(tx: Transaction, call: Call[Any]) -> MediaView:
    """Return a medium that the caller may see. Raises 404."""
    found = await find_visible(tx, call.scope, call.caller.identity, call.path["Sid"])
    if found is None:
        raise call.not_found()
    return found


async def fetch_media_set(tx: Transaction, call: Call[FetchMediaSet]) -> list[MediaSetEntry]:
    """Return several media by their SIDs; those that the caller may not see without a record."""
    identity = call.caller.identity
    return [
        MediaSetEntry(sid, await find_visible(tx, call.scope, identity, sid))
        for sid in call.parameters.sids
    ]


async def fetch_signed_media(tx: Transaction, call: Call[Any]) -> MediaView:
    """Return the medium of a temporary URL, if its user may still see it. Raises 404."""
    sid, user_sid = call.path["Sid"], call.path["UserSid"]
    found = await find_visible_as_user(tx, call.scope, user_sid, sid)
    if found is None:
        raise call.not_found()
    return found


# --- Rules ------------------------------------------------------------------------------


async def require_upload_allowed(tx: Transaction, scope: Scope, identity: str | None) -> None:
    """Raise 404 without a service, and 429 for a user with too many unattached media."""
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
    """Insert the row of an upload; provision the user of a new identity.

    Repeats ``require_upload_allowed``: the state may have changed during the upload.
    """
    await require_upload_allowed(tx, scope, identity)
    user_sid = ""
    if identity is not None:
        user_sid = (await user_provisioning.ensure_user(tx, scope, identity)).sid
    medium = media_store.new_media(
        tx,
        scope,
        upload.sid,
        size=upload.size,
        content_type=upload.content_type,
        filename=upload.filename,
        category=upload.category,
        author=identity,
    )
    await media_store.insert_media(tx, scope, medium)
    return MediaView(medium, None, user_sid)


async def find_visible(
    tx: Transaction, scope: Scope, identity: str | None, sid: str
) -> MediaView | None:
    """Return the medium if it is visible to the account (no identity) or to a user."""
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
    """Return the medium if it is visible to the user with this SID; empty: the account.

    None for an account that is suspended or closed.
    """
    account = await account_store.find_account(tx, scope)
    if account is None or account.status != ACTIVE:
        return None
    if not user_sid:
        return await find_visible(tx, scope, None, sid)
    user = await user_store.find_user(tx, scope, user_sid)
    return None if user is None else await find_visible(tx, scope, user.identity, sid)
