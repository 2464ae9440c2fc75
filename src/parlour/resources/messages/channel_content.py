"""What the carriers get of a message: its text, media and template, or the parts of a mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.protocol import addresses, email_threading
from parlour.resources.content_templates import (
    channel_rendering as content_template_channel_rendering,
)
from parlour.resources.content_templates import store as content_template_store
from parlour.resources.media import attachments as media_attachments
from parlour.resources.outbox.store import (
    OutboundEmail,
    SubmissionContent,
    SubmissionMedium,
)
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.messages.store import Message
    from parlour.resources.participants.store import Participant
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_COPY: Final = "cc"
_decode_media: Final = msgspec.json.Decoder(tuple[SubmissionMedium, ...]).decode

# The last mails that were sent, newest first, of the last submissions only: a conversation may have
# many of other channels.
LAST_MAILS = """
SELECT message_sid, sender, date_created FROM (
    SELECT message_sid, sender, channel, lane_order, date_created FROM submission
     WHERE account_sid = $1 AND conversation_sid = $2
     ORDER BY lane_order DESC LIMIT $3) AS last
 WHERE channel = 'email' ORDER BY lane_order DESC
"""
LAST_INBOUND_MAILS = """
SELECT mail_id, sequence FROM channel_metadata
 WHERE account_sid = $1 AND conversation_sid = $2 AND mail_id IS NOT NULL
 ORDER BY sequence DESC LIMIT $3
"""


def has_attachments(message: Message) -> bool:
    """Return whether users attached files to the message."""
    return media_attachments.user_attachments_json(message.media) is not None


async def build_channel_content(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    message: Message,
    recipients: list[Participant],
) -> SubmissionContent:
    """Return the content of one submission; its recipients have one channel."""
    files = media_attachments.user_attachments_json(message.media)
    channel = recipients[0].binding_type or ""
    content = SubmissionContent(
        body=message.body,
        media=() if files is None else _decode_media(files),
    )
    if channel == addresses.EMAIL:
        mail = await _mail(tx, scope, conversation, message, recipients)
        return msgspec.structs.replace(content, email=mail)
    if message.content_sid is not None:
        return await _with_template(tx, scope, message, channel, content)
    return content


async def _with_template(
    tx: Transaction, scope: Scope, message: Message, channel: str, content: SubmissionContent
) -> SubmissionContent:
    """Return the content as the template of the message is rendered for a channel."""
    assert message.content_sid is not None
    template = await content_template_store.find_content_template(tx, scope, message.content_sid)
    if template is None:  # Only a message of the previous version: its template was deleted.
        return content
    made = content_template_channel_rendering.render_for_channel(
        template, channel, message.content_variables
    )
    return msgspec.structs.replace(content, body=made.text, template=made.template)


async def _mail(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    message: Message,
    recipients: list[Participant],
) -> OutboundEmail:
    addressed = [(each.address or "", each) for each in recipients]
    return OutboundEmail(
        subject=message.subject or "",
        sender_name=conversation.email_name,
        names={address: each.binding_name for address, each in addressed if each.binding_name},
        cc=tuple(address for address, each in addressed if each.binding_level == _COPY),
        references=await _references(tx, scope, conversation.sid),
    )


async def _references(tx: Transaction, scope: Scope, conversation_sid: str) -> tuple[str, ...]:
    """Return the Message-IDs of the conversation's last mails in and out, oldest first."""
    key, count = (scope.account_sid, conversation_sid), limits.EMAIL_REFERENCES_MAX
    # By the order of creation, in microseconds.
    found = [(row[1], row[0]) for row in await tx.all(LAST_INBOUND_MAILS, *key, count)]
    for message_sid, sender, date_ms in await tx.all(LAST_MAILS, *key, count):
        domain = email_threading.domain_of(sender or "")
        mail_id = email_threading.message_id(message_sid, conversation_sid, domain)
        found.append((date_ms * 1000, mail_id))
    return tuple(mail_id for _, mail_id in sorted(found)[-count:])
