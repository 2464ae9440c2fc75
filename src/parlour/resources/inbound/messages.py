"""The message of a conversation that an inbound message becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol.addresses import EMAIL, WHATSAPP
from parlour.resources.channel_metadata import store as channel_metadata_store
from parlour.resources.channel_metadata.store import ChannelMetadata
from parlour.resources.inbound import store as inbound_store
from parlour.resources.messages import actions as message_actions
from parlour.resources.messages.parameters import CreateMessage
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.inbox.message import InboxMessage
    from parlour.resources.media.store import Media
    from parlour.resources.messages.store import Message
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_PREFIX: Final = "whatsapp:"
_encode = msgspec.json.Encoder().encode


# tidy: event-for-change - the event of the message follows
async def adopt_media(tx: Transaction, scope: Scope, message: InboxMessage) -> list[Media]:
    """Move the media of a message to a service, and return them; without those that expired."""
    media = []
    for sid in message.media_sids:
        await inbound_store.adopt_medium(tx, scope, sid)
        found = await inbound_store.find_inbound_medium(tx, scope, sid)
        if found is not None and found.message_sid is None:
            media.append(found)
    return media


def parameters(message: InboxMessage, media: list[Media]) -> CreateMessage:
    """Return the parameters of the message; without text the body is null."""
    subject = "" if message.email is None else message.email.subject
    return CreateMessage(
        author=message.sender,
        body=message.body or UNSET,
        subject=subject or UNSET,
        media_sids=[each.sid for each in media] or UNSET,
    )


async def add_message(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    message: InboxMessage,
    change: CreateMessage,
) -> Message:
    """Add the message to its conversation, with its channel metadata."""
    created = await message_actions.add_message(tx, scope, conversation, change)
    data = metadata(message)
    if data is not None:
        made = ChannelMetadata(
            account_sid=scope.account_sid,
            conversation_sid=conversation.sid,
            message_sid=created.sid,
            sequence=tx.next_sequence(),
            type=message.channel,
            data=_encode(data).decode(),
            mail_id=None if message.email is None else message.email.message_id,
        )
        await channel_metadata_store.insert_metadata(tx, scope, made)
    return created


def metadata(message: InboxMessage) -> dict[str, Any] | None:
    """Return the ``data`` of the channel metadata; None for a channel without any.

    WhatsApp messages have the profile name and the user's id in ``context``.
    """
    if message.channel == EMAIL and message.email is not None:
        mail = message.email
        return {"message_id": mail.message_id, "references": list(mail.references)}
    if message.channel != WHATSAPP:
        return message.metadata
    data = dict(message.metadata or {})
    context = data.get("context")
    shown = dict(context) if isinstance(context, dict) else {}
    if message.profile_name:
        shown.setdefault("ProfileName", message.profile_name)
    shown.setdefault("WaId", wa_id(message))
    return data | {"context": shown}


def metadata_json(message: InboxMessage) -> str | None:
    """Return the channel metadata as webhooks show them, or None."""
    data = metadata(message)
    if data is None:
        return None
    return _encode({"type": message.channel, "data": data}).decode()


def wa_id(message: InboxMessage) -> str:
    """Return the id of a WhatsApp user: the digits of the number, or the id without a number."""
    return message.sender.removeprefix(_PREFIX).removeprefix("+")
