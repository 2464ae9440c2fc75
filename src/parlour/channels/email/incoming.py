"""Reading of inbound mail: bytes and envelope become messages, reports, or a reason. No I/O.

A mail is refused if it exceeds a bound or has no sender that could be answered: its sender learns
of it. It is dropped if a reply to it could come back in a loop: automatic mails, mass mailings,
and this server's own mails.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.channels.carrier import (
    DeliveryReport,
    InboundEmail,
    InboundMedium,
    InboundMessage,
    MailRecipient,
)
from parlour.channels.email import bounces, header_text, html_text, mime, reply_text
from parlour.protocol import addresses, email_threading
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.email.header_text import Mailbox
    from parlour.channels.email.mime import Headers, MimeMessage, MimePart

_PLAIN: Final = "text/plain"
_HTML: Final = "text/html"
_MASS_MAIL: Final = frozenset(("bulk", "junk", "list"))
_COMMENT: Final = re.compile(r"\([^()]*\)")


class MailEnvelope(msgspec.Struct, frozen=True):
    """Sender and recipients as SMTP named them; the sender of a notification is empty."""

    sender: str
    recipients: tuple[str, ...]


class OwnAddresses(msgspec.Struct, frozen=True):
    """The addresses that belong to this server: its domains, and the local part of bounces."""

    domains: frozenset[str]
    return_path: str

    def has(self, address: str) -> bool:
        """Return whether an address is in one of the domains."""
        return email_threading.domain_of(address) in self.domains


class ReadMail(msgspec.Struct, frozen=True):
    """What a mail is: messages or reports; or the reason why it was refused, or dropped."""

    messages: tuple[InboundMessage, ...] = ()
    reports: tuple[DeliveryReport, ...] = ()
    refused: str = ""
    dropped: str = ""


class _MailTexts(msgspec.Struct, frozen=True):
    """The texts of a mail, without the attachments."""

    body: str | None
    media: tuple[InboundMedium, ...]


def read_mail(raw: bytes, envelope: MailEnvelope, own: OwnAddresses) -> ReadMail:
    """Return what a mail is, for each own address among its recipients."""
    try:
        message = mime.parse_message(raw)
        if bounces.is_report(message):
            return _read_reports(message, envelope, own)
        return _read_message(message, raw, envelope, own)
    except mime.MimeRefused as refused:
        return ReadMail(refused=str(refused))


def _read_reports(message: MimeMessage, envelope: MailEnvelope, own: OwnAddresses) -> ReadMail:
    reports = bounces.read_reports(message, envelope.recipients, own.return_path)
    if not reports:
        return ReadMail(dropped="a notification without a result, or about no mail of this server")
    return ReadMail(reports=reports)


def _read_message(
    message: MimeMessage, raw: bytes, envelope: MailEnvelope, own: OwnAddresses
) -> ReadMail:
    senders = header_text.parse_mailboxes(message.headers.get("from") or "")
    reason = _automatic_reason(message.headers, envelope, own, senders)
    if reason:
        return ReadMail(dropped=reason)
    if not senders:
        return ReadMail(refused="the header From has no valid address")
    recipients = _header_recipients(message.headers, own)
    receivers = _receivers(envelope, recipients, own)
    if not receivers:
        return ReadMail(dropped="sent to an address that receives notifications only")
    texts = _read_texts(message.parts)
    email = _email_fields(message.headers, senders[0], recipients)
    digest = _content_digest(message.headers, raw)
    return ReadMail(
        messages=tuple(
            InboundMessage(
                provider_id=_provider_id(digest, senders[0].address, receiver, conversation_sid),
                channel=addresses.EMAIL,
                sender=senders[0].address,
                receiver=receiver,
                group=(),
                body=texts.body,
                media=texts.media,
                profile_name=senders[0].name,
                email=msgspec.structs.replace(email, conversation_sid=conversation_sid),
            )
            for receiver, conversation_sid in receivers
        )
    )


# --- Loop guard ---------------------------------------------------------------------------


def _automatic_reason(
    headers: Headers, envelope: MailEnvelope, own: OwnAddresses, senders: list[Mailbox]
) -> str:
    """Return why a reply to a mail could come back in a loop; empty for others."""
    if not envelope.sender:
        return "an empty return path"
    submitted = _first_word(headers.get("auto-submitted"))
    if submitted not in ("", "no"):
        return f"Auto-Submitted: {submitted}"
    precedence = _first_word(headers.get("precedence"))
    if precedence in _MASS_MAIL:
        return f"Precedence: {precedence}"
    is_own = email_threading.parse_message_id(headers.get("message-id") or "") is not None
    if is_own and senders and own.has(senders[0].address):
        return "a mail of this server came back"
    return ""


def _first_word(value: str | None) -> str:
    """Return the value of a header without comments and parameters, at most 40 characters."""
    text = _COMMENT.sub(" ", (value or "")[:200]).partition(";")[0]
    return text.strip().lower()[:40]


# --- Addresses ----------------------------------------------------------------------------


def _header_recipients(headers: Headers, own: OwnAddresses) -> tuple[MailRecipient, ...]:
    """Return the addresses of To and Cc, the first ones of many."""
    found: list[MailRecipient] = []
    for name in ("to", "cc"):
        for value in headers.get_all(name):
            for mailbox in header_text.parse_mailboxes(value):
                address, conversation_sid = _split_tag(mailbox.address, own)
                found.append(
                    MailRecipient(
                        address=address,
                        level="cc" if name == "cc" else "to",
                        name=mailbox.name,
                        conversation_sid=conversation_sid,
                    )
                )
    return tuple(found[: limits.EMAIL_RECIPIENTS_MAX])


def _receivers(
    envelope: MailEnvelope, recipients: tuple[MailRecipient, ...], own: OwnAddresses
) -> list[tuple[str, str | None]]:
    """Return the own addresses of the envelope, each with the tag of its conversation.

    An address without a tag has the first one that To or Cc show for it: a peer that delivers to
    the tagged and to the plain address, together or one after the other, delivers one message.
    """
    found: dict[str, list[str | None]] = {}
    for each in envelope.recipients:
        normal = header_text.normal_address(each)
        if normal is None or not own.has(normal):
            continue
        if bounces.is_bounce_address(own.return_path, normal):
            continue
        address, conversation_sid = _split_tag(normal, own)
        tags = found.setdefault(address, [])
        if conversation_sid is not None and conversation_sid not in tags:
            tags.append(conversation_sid)
    shown = {
        each.address: each.conversation_sid
        for each in reversed(recipients)
        if each.conversation_sid
    }
    return [
        (address, conversation_sid)
        for address, tags in found.items()
        for conversation_sid in tags or [shown.get(address)]
    ]


def _split_tag(address: str, own: OwnAddresses) -> tuple[str, str | None]:
    if not own.has(address):
        return address, None
    tagged = email_threading.split_tag(address)
    return tagged.address, tagged.conversation_sid


# --- Content ------------------------------------------------------------------------------


def _email_fields(
    headers: Headers, sender: Mailbox, recipients: tuple[MailRecipient, ...]
) -> InboundEmail:
    message_id = email_threading.message_ids(headers.get("message-id") or "")
    in_reply_to = email_threading.message_ids(headers.get("in-reply-to") or "")
    references = [*email_threading.message_ids(headers.get("references") or "")]
    references = [each for each in references if each not in in_reply_to]
    return InboundEmail(
        subject=header_text.decode_words(headers.get("subject") or "")[: limits.SUBJECT_CHARS_MAX],
        message_id=message_id[0] if message_id else None,
        in_reply_to=in_reply_to[0] if in_reply_to else None,
        references=(*references, *in_reply_to)[-limits.EMAIL_REFERENCES_MAX :],
        sender_name=sender.name,
        recipients=recipients,
    )


def _read_texts(parts: list[MimePart]) -> _MailTexts:
    """Return the body of a mail, its texts, and its attachments."""
    plain = [part for part in parts if part.content_type == _PLAIN and not part.is_attachment]
    html = [part for part in parts if part.content_type == _HTML and not part.is_attachment][:1]
    shown = {id(part) for part in (*plain, *html)}
    html_content = html[0].text() if html else ""
    full = "\n".join(part.text() for part in plain).strip()
    if not full and html_content:
        full = html_text.to_text(html_content)
    new = reply_text.new_text(full)
    media = [_text_medium(_PLAIN, new, "body"), _text_medium(_HTML, html_content, "body")]
    if new != full:
        media.append(_text_medium(_PLAIN, full, "history"))
    media += [_attachment(part) for part in parts if id(part) not in shown]
    return _MailTexts(
        body=_truncated(new) or None,
        media=tuple(each for each in media if each is not None),
    )


def _text_medium(content_type: str, text: str, category: str) -> InboundMedium | None:
    if not text:
        return None
    content = text.encode()
    return InboundMedium(f"{content_type}; charset=utf-8", None, content, category=category)


def _attachment(part: MimePart) -> InboundMedium | None:
    """Return an attachment or inline image; None if it is empty."""
    content = part.decoded()
    if not content:
        return None
    return InboundMedium(part.content_type, part.filename, content)


def _truncated(text: str) -> str:
    """Return text that fits the body of a message; the medium of category body has all of it."""
    content = text.encode()[: limits.MESSAGE_BODY_BYTES_MAX]
    return content.decode("utf-8", "ignore").strip()


# --- Duplicates ---------------------------------------------------------------------------


def _content_digest(headers: Headers, raw: bytes) -> bytes:
    """Return a digest of the identifier and the content, without the headers that servers add.

    The content counts as well, because some programs give each mail the same Message-ID.
    """
    digest = hashlib.sha256((headers.get("message-id") or "").strip().encode())
    _, body = mime.parse_headers(raw, 0, len(raw))
    for name in ("from", "date", "subject"):
        digest.update(b"\0" + (headers.get(name) or "").encode())
    digest.update(b"\0" + raw[body:].rstrip())
    return digest.digest()


def _provider_id(digest: bytes, sender: str, receiver: str, conversation_sid: str | None) -> str:
    parts = (digest.hex(), sender, receiver, conversation_sid or "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
