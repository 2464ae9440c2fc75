"""Delivery status notifications (RFC 3464): reports about mails that this server sent. No I/O.

A notification names its mail in up to three ways, and mail servers leave out each of them: the
address to which it is sent, because each mail has its own return path; the envelope identifier
(RFC 3461); and the Message-ID in the returned headers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.channels.carrier import DeliveryReport
from parlour.channels.email import header_text, mime
from parlour.protocol import email_threading
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.channels.email.mime import Headers, MimeMessage, MimePart

UNDELIVERED_CODE: Final = 30005
_STATUS_TYPES: Final = ("message/delivery-status", "message/global-delivery-status")
_HEADER_TYPES: Final = (
    "text/rfc822-headers",
    "message/rfc822",
    "message/global-headers",
    "message/global",
)
_REFERENCE: Final = re.compile(r"[a-z]{2}[0-9a-f]{32}\Z", re.IGNORECASE)
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")


class _Returned(NamedTuple):
    """What the returned mail or its headers show."""

    message_id: str | None
    recipients: list[str]


def bounce_address(return_path: str, reference: str, domain: str) -> str:
    """Return the return path of one mail: ``bounces+SM…@domain``."""
    return f"{return_path}+{reference}@{domain}"


def parse_bounce_address(return_path: str, address: str) -> str | None:
    """Return the reference of the mail that has this return path; None if it is none."""
    local, _, _ = address.rpartition("@")
    name, _, reference = local.rpartition("+")
    return _reference(reference) if name.lower() == return_path.lower() else None


def is_bounce_address(return_path: str, address: str) -> bool:
    """Return whether an address receives notifications only."""
    local, _, _ = address.lower().rpartition("@")
    return local == return_path.lower() or local.startswith(f"{return_path.lower()}+")


def is_report(message: MimeMessage) -> bool:
    """Return whether a mail is a delivery status notification."""
    return message.content_type == "multipart/report" and any(
        part.content_type in _STATUS_TYPES for part in message.parts
    )


def read_reports(
    message: MimeMessage, envelope_recipients: Iterable[str], return_path: str
) -> tuple[DeliveryReport, ...]:
    """Return the reports of a notification; none if it only announces a delay.

    A report names the reference if the notification shows it, else the Message-ID, which the
    carrier returned as the provider's identifier. Raises MimeRefused.
    """
    returned = _read_returned(message.parts)
    by_return_path = [parse_bounce_address(return_path, each) for each in envelope_recipients]
    reports: list[DeliveryReport] = []
    for part in message.parts:
        if part.content_type not in _STATUS_TYPES:
            continue
        about_mail, *about_recipients = _field_groups(part) or [mime.Headers([])]
        envelope_id = about_mail.get("original-envelope-id")
        references = [*by_return_path, None if envelope_id is None else _decode_xtext(envelope_id)]
        reference = next((found for each in references if (found := _reference(each or ""))), None)
        for fields in about_recipients:
            report = _report(fields, reference, returned)
            if report is not None:
                reports.append(report)
    return tuple(reports)


def _report(fields: Headers, reference: str | None, returned: _Returned) -> DeliveryReport | None:
    """Return the report of one recipient; None if it is no result, or about no mail of ours."""
    action = (fields.get("action") or "").strip().lower()
    if action not in ("failed", "delivered") or (reference or returned.message_id) is None:
        return None
    is_failed = action == "failed"
    reason = fields.get("diagnostic-code") or fields.get("status") or ""
    return DeliveryReport(
        status="undelivered" if is_failed else "delivered",
        reference=reference,
        provider_id=None if reference is not None else returned.message_id,
        recipient=_recipient(fields, returned),
        error_code=UNDELIVERED_CODE if is_failed else 0,
        detail=header_text.decode_words(reason)[: limits.EMAIL_DETAIL_CHARS_MAX],
    )


def _recipient(fields: Headers, returned: _Returned) -> str | None:
    """Return the address to which the mail was sent, in the spelling of its headers.

    The final recipient differs from it if the mail was forwarded; the recipient of a mail with one
    recipient is known all the same. None means each recipient of the mail.
    """
    named = [_typed_address(fields.get(name)) for name in ("original-recipient", "final-recipient")]
    for address in named:
        for each in returned.recipients:
            if address is not None and each.lower() == address.lower():
                return each
    if len(returned.recipients) == 1:
        return returned.recipients[0]
    return next((each for each in named if each is not None), None)


def _typed_address(value: str | None) -> str | None:
    """Return the address in ``rfc822; user@example.com``."""
    if value is None:
        return None
    text = value.partition(";")[2].strip().strip("<>")
    return header_text.normal_address(_decode_xtext(text)) or header_text.normal_address(text)


def _read_returned(parts: list[MimePart]) -> _Returned:
    for part in parts:
        if part.content_type not in _HEADER_TYPES:
            continue
        content = part.decoded()
        headers, _ = mime.parse_headers(content, 0, len(content))
        message_id = headers.get("message-id")
        if message_id is None or email_threading.parse_message_id(message_id) is None:
            continue
        to = ", ".join([*headers.get_all("to"), *headers.get_all("cc")])
        return _Returned(
            message_id.strip(), [each.address for each in header_text.parse_mailboxes(to)]
        )
    return _Returned(None, [])


def _field_groups(part: MimePart) -> list[Headers]:
    """Return the groups of fields of a status: one about the mail, one for each recipient."""
    content = part.decoded()
    groups: list[Headers] = []
    position = 0
    while position < len(content) and len(groups) <= limits.EMAIL_RECIPIENTS_MAX:
        while content.startswith((b"\r\n", b"\n"), position):
            position = content.index(b"\n", position) + 1
        if position < len(content):
            fields, position = mime.parse_headers(content, position, len(content))
            groups.append(fields)
    return groups


def _reference(text: str) -> str | None:
    """Return a channel message SID in its stored form; None if the text is none."""
    text = text.strip()
    if _REFERENCE.match(text) is None:
        return None
    return text[:2].upper() + text[2:].lower()


def _decode_xtext(text: str) -> str:
    """Return text without the escapes of RFC 3461, section 4."""
    return _XTEXT.sub(lambda found: chr(int(found[1], 16)), text)
