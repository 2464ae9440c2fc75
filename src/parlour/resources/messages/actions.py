"""Actions on messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.resources.channel_metadata import store as channel_metadata_store
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.in_path import in_path
from parlour.resources.media import attachments as media_attachments
from parlour.resources.media import store as media_store
from parlour.resources.messages import content as message_content
from parlour.resources.messages import fan_out as message_fan_out
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages import store as message_store
from parlour.resources.messages.store import Message
from parlour.resources.outbox import store as outbox_store
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.dates import updated_at
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, given_or

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.channel_metadata.store import ChannelMetadata
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.messages.parameters import CreateMessage, ListMessages, UpdateMessage
    from parlour.store.transaction import ConflictScope, Transaction
    from parlour.vocabulary.scope import Scope


message_in_path = in_path(sids.MESSAGE, message_store.find_message, code=50500)


async def message_in_conversation(
    tx: Transaction, call: Call[Any], conversation_sid: str, sid: str
) -> Message:
    """Return the message with this SID in a conversation. Raises 404."""
    found = None
    normal_sid = sids.parse(sids.MESSAGE, sid)
    if normal_sid is not None:
        found = await message_store.find_message(tx, call.scope, conversation_sid, normal_sid)
    if found is None:
        raise call.not_found(50500)
    return found


def conflict_scope_of_create(call: Call[CreateMessage]) -> ConflictScope | None:
    """Return the conflict scope of a new message: its conversation, and its unattached media."""
    change = call.parameters
    if change.media_sid is not UNSET or change.media_sids is not UNSET:
        return None
    return conversation_actions.conflict_scope_in_path(call)


async def create_message(tx: Transaction, call: Call[CreateMessage]) -> Message:
    """Create a message in a conversation."""
    conversation = await conversation_actions.conversation_in_path(tx, call)
    change = call.parameters
    conversation_timers.require_changeable(conversation)
    return await add_message(tx, call.scope, conversation, change)


async def add_message(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    change: CreateMessage,
    *,
    is_sent: bool = True,
) -> Message:
    """Validate and insert a message with its receipts, and emit its event.

    It activates an inactive conversation and restarts its timers. One that is not sent was sent
    before: it gets no receipts and no submissions, and its author may have left the group since.
    """
    author = given_or(change.author, tx.origin.client_identity or message_fan_out.SYSTEM_AUTHOR)
    found = await message_fan_out.find_audience(tx, scope, conversation.sid, author)
    if is_sent:
        message_fan_out.require_known_group_author(found)
    content = await message_content.build_content(tx, scope, change)
    created = given_or(change.date_created, tx.now)
    message = Message(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid=conversation.sid,
        sid=tx.new_sid(sids.MESSAGE),
        message_index=conversation.next_message_index,
        author=author,
        participant_sid=found.author_sid,
        body=content.body,
        subject=given_or(change.subject, None),
        attributes=given_or(change.attributes, "{}"),
        media=media_attachments.attachments_json(content.media),
        content_sid=given_or(change.content_sid, None),
        content_variables=given_or(change.content_variables, None),
        source=tx.origin.source,
        last_updated_by=None,
        receipts_total=len(found.recipients),
        receipts_sent=0,
        receipts_delivered=0,
        receipts_read=0,
        receipts_failed=0,
        receipts_undelivered=0,
        date_created=created,
        date_updated=given_or(change.date_updated, created),
    )
    await message_content.save_media(tx, scope, content, message.sid)
    await _save_new_message(tx, scope, conversation, message, found if is_sent else None)
    return message


async def _save_new_message(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    message: Message,
    found: message_fan_out.Audience | None,
) -> None:
    """Write the message, its receipts and its conversation, and emit their events.

    Without an audience there are no receipts.
    """
    after = conversation_timers.after_message(conversation, tx.next_sequence(), tx.now)
    activated = after.state != conversation.state
    await message_store.insert_message(tx, scope, message)
    if found is not None:
        await message_fan_out.create_receipts(tx, scope, conversation, message, found)
    await conversation_store.update_conversation_after_message(tx, scope, conversation, after)
    await tx.emit(
        scope,
        event_names.ON_MESSAGE_ADDED,
        conversation_sid=conversation.sid,
        subject_sid=message.sid,
        payload={
            "message": message,
            "messaging_service_sid": conversation.messaging_service_sid,
            # The previous version, which may still be running, sends to the recipients named here.
            "recipients": [],
        },
    )
    if activated:
        await conversation_timers.emit_state_changed(
            tx, scope, after, conversation.state, conversation_timers.BY_EVENT
        )


async def fetch_message(tx: Transaction, call: Call[NoParameters]) -> Message:
    """Return the message that the path names."""
    return await message_in_path(
        tx, call, await conversation_actions.conversation_sid_in_path(tx, call)
    )


async def fetch_channel_metadata(tx: Transaction, call: Call[NoParameters]) -> ChannelMetadata:
    """Return the metadata of an inbound message. Raises 404 (50530) for one without metadata."""
    message = await message_in_path(
        tx,
        call,
        await conversation_actions.conversation_sid_in_path(tx, call),
        variable="MessageSid",
    )
    found = await channel_metadata_store.find_metadata(tx, call.scope, message.sid)
    if found is None:
        raise ApiError(50530)
    return found


async def list_messages(tx: Transaction, call: Call[ListMessages]) -> Rows:
    """Return a page of messages by index."""
    conversation_sid = await conversation_actions.conversation_sid_in_path(tx, call)
    found = await message_store.list_messages(
        tx,
        call.scope,
        conversation_sid,
        call.page_request,
        descending=call.parameters.order == "desc",
    )
    return Rows(found, order="message_index")


async def update_message(tx: Transaction, call: Call[UpdateMessage]) -> Message:
    """Update a message. It is not sent again; its index and receipts are unchanged."""
    conversation = await conversation_actions.conversation_in_path(tx, call)
    before = await message_in_path(tx, call, conversation.sid)
    change = call.parameters
    conversation_timers.require_changeable(conversation)
    created = given_or(change.date_created, before.date_created)
    updated = updated_at(tx.now, created_ms=created, updated_ms=before.date_updated)
    after = msgspec.structs.replace(
        before,
        body=given_or(change.body, before.body),
        subject=given_or(change.subject, before.subject),
        attributes=given_or(change.attributes, before.attributes),
        last_updated_by=tx.origin.client_identity or message_fan_out.SYSTEM_AUTHOR,
        date_created=created,
        date_updated=given_or(change.date_updated, updated),
    )
    if change.author is not UNSET:
        found = await message_fan_out.find_audience(tx, call.scope, conversation.sid, change.author)
        message_fan_out.require_known_group_author(found)
        after = msgspec.structs.replace(
            after, author=change.author, participant_sid=found.author_sid
        )
    await message_store.update_message_row(tx, call.scope, after)
    await tx.emit(
        call.scope,
        event_names.ON_MESSAGE_UPDATED,
        conversation_sid=conversation.sid,
        subject_sid=after.sid,
        payload={"message": after, "previous_date_updated": before.date_updated},
    )
    return after


async def delete_message(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a message with its receipts and media; its index is never reused."""
    conversation = await conversation_actions.conversation_in_path(tx, call)
    message = await message_in_path(tx, call, conversation.sid)
    conversation_timers.require_changeable(conversation)
    await message_store.delete_message_row(tx, call.scope, conversation.sid, message.sid)
    await conversation_store.increment_removed_messages(tx, call.scope, conversation.sid)
    await message_receipt_store.delete_receipts_of_message(tx, call.scope, message.sid)
    await outbox_store.delete_submissions_of_message(tx, call.scope, message.sid)
    await media_store.mark_media_of_message_removed(tx, call.scope, message.sid)
    await channel_metadata_store.delete_metadata(tx, call.scope, message.sid)
    await tx.emit(
        call.scope,
        event_names.ON_MESSAGE_REMOVED,
        conversation_sid=conversation.sid,
        subject_sid=message.sid,
        payload={"message": message},
    )
