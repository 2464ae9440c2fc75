"""Building of outbound mail: a message and the bytes of its media become one mail. No I/O.

Each mail is seven-bit ASCII with lines of at most 998 characters, so that any relay takes it. The
boundaries are made of the reference and a mark that no encoded text contains, so that the same
message is the same mail in each repetition.
"""

from __future__ import annotations

import datetime as dt
import re
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final, cast

from parlour.channels import mail_size
from parlour.protocol import email_threading
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.channels.carrier import OutboundMedium, OutboundMessage

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_MEDIA_TYPE: Final = re.compile(r"([a-z0-9!#$&^_.+-]+)/([a-z0-9!#$&^_.+-]+)", re.IGNORECASE)


class _MessageIdsHeader:
    """A header of Message-IDs, one in each line: the base class would encode those over 78."""

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        """Keep the value. HeaderRegistry's base class calls it with the header's text."""
        kwds["decoded"] = value
        kwds["parse_tree"] = []

    def fold(self, *, policy: EmailPolicy[EmailMessage]) -> str:
        """Return the header in lines. The base class encodes Message-IDs too long for one."""
        line_end = policy.linesep
        name = getattr(self, "name")  # noqa: B009 - an attribute of the class it is mixed into.
        return f"{name}: {f'{line_end} '.join(str(self).split())}{line_end}"


def _policy() -> EmailPolicy[EmailMessage]:
    registry = HeaderRegistry()
    for name in ("message-id", "in-reply-to", "references"):
        registry.map_to_type(name, cast("Any", _MessageIdsHeader))
    return SMTP.clone(header_factory=registry, cte_type="7bit")


_POLICY: Final = _policy()


def build_mail(message: OutboundMessage, contents: Mapping[str, bytes], date_ms: int) -> bytes:
    """Return the mail of a message; ``contents`` are the bytes of its media by SID.

    ``sender`` and ``email`` of the message are set.
    """
    assert message.sender is not None
    assert message.email is not None
    mail = EmailMessage(_POLICY)
    date = dt.datetime.fromtimestamp(date_ms / 1000, dt.UTC)
    names = message.email.names
    copies = frozenset(message.email.cc)
    mail["From"] = _mailbox(message.sender, message.email.sender_name)
    for header, recipients in (
        ("To", [each for each in message.recipients if each not in copies]),
        ("Cc", [each for each in message.recipients if each in copies]),
    ):
        if recipients:
            mail[header] = [_mailbox(each, names.get(each)) for each in recipients]
    mail["Reply-To"] = _mailbox(
        email_threading.tagged_address(message.sender, message.conversation_sid),
        message.email.sender_name,
    )
    mail["Subject"] = _one_line(message.email.subject)[: limits.SUBJECT_CHARS_MAX]
    mail["Date"] = format_datetime(date)
    mail["Message-ID"] = email_threading.message_id(
        message.message_sid, message.conversation_sid, email_threading.domain_of(message.sender)
    )
    references = _references(message.email.references)
    if references:
        mail["In-Reply-To"] = references[-1]
        mail["References"] = " ".join(references)
    _set_content(mail, message, contents)
    _set_boundaries(mail, message.reference)
    return mail.as_bytes()


def _set_content(
    mail: EmailMessage, message: OutboundMessage, contents: Mapping[str, bytes]
) -> None:
    """Set the texts, as alternatives if there are two, and attach the other media."""
    plain = _text(message.media, contents, mail_size.PLAIN)
    html = _text(message.media, contents, mail_size.HTML)
    if not plain:
        plain = message.body or ""
    if plain or not html:
        mail.set_content(_lines(plain), cte="quoted-printable")
        if html:
            mail.add_alternative(_lines(html), subtype="html", cte="quoted-printable")
    else:
        mail.set_content(_lines(html), subtype="html", cte="quoted-printable")
    for medium in message.media:
        if mail_size.is_text(medium):
            continue
        found = _MEDIA_TYPE.match(medium.content_type)
        # Parts of these types must not be encoded, and a text would be decoded by its charset.
        is_binary = found is not None and found[1].lower() not in ("multipart", "message")
        mail.add_attachment(
            contents[medium.sid],
            maintype=found[1] if found is not None and is_binary else "application",
            subtype=found[2] if found is not None and is_binary else "octet-stream",
            cte="base64",
            filename=_one_line(medium.filename or medium.sid),
        )


def _text(
    media: tuple[OutboundMedium, ...], contents: Mapping[str, bytes], content_type: str
) -> str:
    """Return the texts of a type: the ones of category body, then the history."""
    texts = [
        contents[medium.sid].decode("utf-8", "replace").strip()
        for category in mail_size.TEXT_CATEGORIES
        for medium in media
        if medium.category == category and mail_size.type_of(medium) == content_type
    ]
    return "\n\n".join(text for text in texts if text)


def _lines(text: str) -> str:
    """Return a text whose only ends of lines are line feeds: the library splits at others, too."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _set_boundaries(mail: EmailMessage, reference: str) -> None:
    """Set boundaries without randomness; no encoded text contains ``=_``."""
    for number, part in enumerate(each for each in mail.walk() if each.is_multipart()):
        part.set_boundary(f"=_{reference}.{number}")


def _mailbox(address: str, name: str | None) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(_one_line(name or ""), local, domain)


def _one_line(text: str) -> str:
    """Return text without control characters: none can end a header."""
    text = text.encode("utf-8", "replace").decode()
    return _CONTROLS.sub(" ", text).strip()


def _references(found: tuple[str, ...]) -> tuple[str, ...]:
    """Return Message-IDs that are well-formed, the last ones of many."""
    return email_threading.message_ids(" ".join(found))[-limits.EMAIL_REFERENCES_SENT_MAX :]
