"""What happens to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.resources.conversations import actions as conversations
from parlour.resources.conversations import store as conversation_rows
from parlour.resources.conversations import timers
from parlour.resources.media import attachments
from parlour.resources.media import store as media
from parlour.resources.messages import content, fan_out, store
from parlour.resources.messages.store import Message
from parlour.resources.receipts import store as receipts
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.dates import updated_at
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.messages.parameters import CreateMessage, ListMessages, UpdateMessage
    from parlour.store.transaction import ConflictScope, Transaction
    from parlour.vocabulary.scope import Scope


async def in_path(
    tx: Transaction, call: Call[Any], conversation_sid: str, name: str = "Sid"
) -> Message:
    """The message that the path names, by sid only. Raises 404."""
    return await of_conversation(tx, call, conversation_sid, call.path[name])


async def of_conversation(
    tx: Transaction, call: Call[Any], conversation_sid: str, sid: str
) -> Message:
    """The message with this sid in a conversation. Raises 404."""
    found = None
    normal_sid = sids.parse(sids.MESSAGE, sid)
    if normal_sid is not None:
        found = await store.find(tx, call.scope, conversation_sid, normal_sid)
    if found is None:
        raise call.not_found(50500)
    return found


def conflict_scope_of_create(call: Call[CreateMessage]) -> ConflictScope | None:
    """How far a new message reaches: into its conversation, and to the media that it takes."""
    change = call.parameters
    if change.media_sid is not UNSET or change.media_sids is not UNSET:
        return None
    return conversations.conflict_scope_in_path(call)


async def create_message(tx: Transaction, call: Call[CreateMessage]) -> Message:
    """Say something in a conversation; its other participants hear of it."""
    conversation = await conversations.in_path(tx, call)
    change = call.parameters
    timers.must_accept_changes(conversation)
    return await add_message(tx, call.scope, conversation, change)


async def add_message(
    tx: Transaction, scope: Scope, conversation: Conversation, change: CreateMessage
) -> Message:
    """Check and keep a new message with its receipts, and tell of it.

    It wakes an inactive conversation and restarts its timers.
    """
    author = _given(change.author, tx.origin.client_identity or fan_out.SYSTEM_AUTHOR)
    found = await fan_out.audience(tx, scope, conversation.sid, author)
    fan_out.must_be_known_in_group(found)
    said = await content.of_new(tx, scope, change)
    if found.recipients and len(said.body or "") > limits.MESSAGE_BODY_CHANNEL_CHARS_MAX:
        raise ApiError(50504)
    created = _given(change.date_created, tx.now)
    message = Message(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid=conversation.sid,
        sid=tx.new_sid(sids.MESSAGE),
        message_index=conversation.next_message_index,
        author=author,
        participant_sid=found.author_sid,
        body=said.body,
        subject=_given(change.subject, None),
        attributes=_given(change.attributes, "{}"),
        media=attachments.written(said.media),
        content_sid=_given(change.content_sid, None),
        content_variables=_given(change.content_variables, None),
        source=tx.origin.source,
        last_updated_by=None,
        receipts_total=len(found.recipients),
        receipts_sent=0,
        receipts_delivered=0,
        receipts_read=0,
        receipts_failed=0,
        receipts_undelivered=0,
        date_created=created,
        date_updated=_given(change.date_updated, created),
    )
    await content.keep_media(tx, scope, said, message.sid)
    await _keep_message(tx, scope, conversation, message, found)
    return message


async def _keep_message(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    message: Message,
    found: fan_out.Audience,
) -> None:
    """Write the message, its receipts and its conversation, and tell of them."""
    after = timers.with_message(conversation, tx.next_sequence(), tx.now)
    woken = after.state != conversation.state
    await store.add(tx, scope, message)
    reached = await fan_out.send(tx, scope, conversation, message, found)
    await conversation_rows.note_message(tx, scope, conversation, after)
    await tx.emit(
        scope,
        event_names.ON_MESSAGE_ADDED,
        conversation_sid=conversation.sid,
        subject_sid=message.sid,
        payload={
            "message": message,
            "messaging_service_sid": conversation.messaging_service_sid,
            "recipients": reached,
        },
    )
    if woken:
        await timers.tell_state(tx, scope, after, conversation.state, timers.BY_EVENT)


def _given(value: Any, otherwise: Any) -> Any:
    """What was said, or what counts where nothing was."""
    return otherwise if value is UNSET else value


async def fetch_message(tx: Transaction, call: Call[NoParameters]) -> Message:
    """One message."""
    return await in_path(tx, call, await conversations.sid_in_path(tx, call))


async def fetch_channel_metadata(tx: Transaction, call: Call[NoParameters]) -> Message:
    """No message has channel metadata: 404 with a code of its own, once the message is found."""
    await in_path(tx, call, await conversations.sid_in_path(tx, call), "MessageSid")
    raise ApiError(50530)


async def list_messages(tx: Transaction, call: Call[ListMessages]) -> Rows:
    """A page of messages by index."""
    conversation_sid = await conversations.sid_in_path(tx, call)
    found = await store.page(
        tx,
        call.scope,
        conversation_sid,
        call.page_request,
        descending=call.parameters.order == "desc",
    )
    return Rows(found, order="message_index")


async def update_message(tx: Transaction, call: Call[UpdateMessage]) -> Message:
    """Change a message. Nothing is sent again, and its index and receipts stay."""
    conversation = await conversations.in_path(tx, call)
    before = await in_path(tx, call, conversation.sid)
    change = call.parameters
    timers.must_accept_changes(conversation)
    created = _given(change.date_created, before.date_created)
    updated = updated_at(tx.now, created_ms=created, updated_ms=before.date_updated)
    after = msgspec.structs.replace(
        before,
        body=_given(change.body, before.body),
        subject=_given(change.subject, before.subject),
        attributes=_given(change.attributes, before.attributes),
        last_updated_by=tx.origin.client_identity or fan_out.SYSTEM_AUTHOR,
        date_created=created,
        date_updated=_given(change.date_updated, updated),
    )
    if change.author is not UNSET:
        found = await fan_out.audience(tx, call.scope, conversation.sid, change.author)
        fan_out.must_be_known_in_group(found)
        after = msgspec.structs.replace(
            after, author=change.author, participant_sid=found.author_sid
        )
    await store.change(tx, call.scope, after)
    await tx.emit(
        call.scope,
        event_names.ON_MESSAGE_UPDATED,
        conversation_sid=conversation.sid,
        subject_sid=after.sid,
        payload={"message": after, "previous_date_updated": before.date_updated},
    )
    return after


async def delete_message(tx: Transaction, call: Call[NoParameters]) -> None:
    """Remove a message with its receipts and media; its index is never given again."""
    conversation = await conversations.in_path(tx, call)
    message = await in_path(tx, call, conversation.sid)
    timers.must_accept_changes(conversation)
    await store.remove(tx, call.scope, conversation.sid, message.sid)
    await conversation_rows.note_removed_message(tx, call.scope, conversation.sid)
    await receipts.remove_of_message(tx, call.scope, message.sid)
    await media.remove_of_message(tx, call.scope, message.sid)
    await tx.emit(
        call.scope,
        event_names.ON_MESSAGE_REMOVED,
        conversation_sid=conversation.sid,
        subject_sid=message.sid,
        payload={"message": message},
    )
