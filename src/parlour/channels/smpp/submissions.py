"""Outbound messages as submit_sm, and the meaning of the SMSC's statuses."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal

from parlour.channels.carrier import Rejected
from parlour.channels.smpp.addresses import to_smpp
from parlour.channels.smpp.pdus import SubmitPdu
from parlour.channels.smpp.texts import UCS2 as UCS2_CODING
from parlour.protocol.sms_segments import GSM7, encode_gsm7, split_text
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.carrier import OutboundMessage
    from parlour.channels.smpp.carrier import SmppOptions

LongMessages = Literal["udh", "sar"]
"""How parts name their message: by a header in the content, or by optional parameters."""

_UNROUTABLE: Final = 21612
_INVALID_RECIPIENT: Final = 21211
_SENDER_UNUSABLE: Final = 21606
_QUEUE_FULL: Final = 30001
_UNKNOWN_ERROR: Final = 30008
_TOO_LONG: Final = 21617
_SIZE_REFUSED: Final = 30019

_UDH_INDICATOR: Final = 0x40
_UDH_SIZE: Final = 5
_CONCATENATION: Final = 0x00
_CONCATENATION_SIZE: Final = 3

OK: Final = 0x00
INVALID_BIND_STATUS: Final = 0x04
TEMPORARY_ERROR: Final = 0x64
"""ESME_RX_T_APPN: the SMSC has to deliver the message again."""
PERMANENT_ERROR: Final = 0x65
"""ESME_RX_P_APPN: the SMSC must not deliver the message again."""
INVALID_LENGTH: Final = 0x02
UNKNOWN_COMMAND: Final = 0x03

_THROTTLED: Final = frozenset({0x14, 0x58})
_TEMPORARY: Final = frozenset({0x08, 0x45, 0x64})
# The session is at fault, not the message: it stays queued, and the link is opened again.
_LINK_PROBLEMS: Final = frozenset({INVALID_BIND_STATUS, 0x0D, 0x0E, 0x0F})
_CODES: Final = {
    0x01: _SIZE_REFUSED,
    0x0A: _SENDER_UNUSABLE,
    0x48: _SENDER_UNUSABLE,
    0x49: _SENDER_UNUSABLE,
    0x0B: _INVALID_RECIPIENT,
    0x50: _INVALID_RECIPIENT,
    0x51: _INVALID_RECIPIENT,
}


def is_link_problem(status: int) -> bool:
    """Return whether a status of a submission concerns the session."""
    return status in _LINK_PROBLEMS


def is_throttling(status: int) -> bool:
    """Return whether the SMSC rejected it for its rate."""
    return status in _THROTTLED


def rejection(status: int, detail: str) -> Rejected:
    """Return the rejection of a submission by its status, which is neither OK nor of the link."""
    if status in _THROTTLED:
        return Rejected(_QUEUE_FULL, detail, limits.SMPP_THROTTLED_SECONDS)
    if status in _TEMPORARY:
        return Rejected(_UNKNOWN_ERROR, detail, limits.SMPP_ERROR_SECONDS)
    return Rejected(_CODES.get(status, _UNKNOWN_ERROR), detail)


def make_submissions(
    message: OutboundMessage, options: SmppOptions
) -> tuple[SubmitPdu, ...] | Rejected:
    """Return a submit_sm for each segment of a message, in order."""
    if message.is_group or len(message.recipients) != 1:
        return Rejected(_UNROUTABLE, "SMPP has no group messages")
    text = _text(message)
    if text is None:
        return Rejected(_UNROUTABLE, "SMPP carries no media, and these have no public URL")
    source = to_smpp(message.sender or "")
    destination = to_smpp(message.recipients[0])
    for address, code in ((source, _SENDER_UNUSABLE), (destination, _INVALID_RECIPIENT)):
        if not _fits(address[2]):
            return Rejected(code, f"the address {address[2]!r} does not fit into a PDU")
    coding, contents = _contents(text, options)
    if len(contents) > limits.SMPP_PARTS_MAX:
        return Rejected(_TOO_LONG, f"the text has {len(contents)} parts")
    return tuple(
        SubmitPdu(
            *_typed(source, options.source_ton, options.source_npi),
            *_typed(destination, options.destination_ton, options.destination_npi),
            content=content,
            data_coding=coding,
            esm_class=esm_class,
            sar=sar,
            service_type=options.service_type,
            validity_period=_validity(options.validity_minutes),
            registered_delivery=int(options.receipts),
        )
        for content, esm_class, sar in _parts(contents, message.reference, options.long_messages)
    )


def _text(message: OutboundMessage) -> str | None:
    """Return the text, followed by the URLs of media; None if a medium has none."""
    urls = [medium.url for medium in message.media if medium.category == "media"]
    if not all(urls):
        return None
    return "\n".join([*([message.body] if message.body else []), *urls])


def _contents(text: str, options: SmppOptions) -> tuple[int, list[bytes]]:
    """Return the data coding, and the octets of each segment."""
    split = split_text(text)
    if split.encoding == GSM7:
        if options.default_alphabet == "gsm7":
            return options.gsm7_coding, [encode_gsm7(each) for each in split.segments]
        try:
            return options.gsm7_coding, [each.encode("latin-1") for each in split.segments]
        except UnicodeEncodeError:
            # A character of GSM-7 that the SMSC's own alphabet lacks.
            split = split_text(text, allows_gsm7=False)
    octets = [each.encode("utf-16-be", errors="replace") for each in split.segments]
    return UCS2_CODING, octets


def _parts(
    contents: list[bytes], reference: str, form: LongMessages
) -> list[tuple[bytes, int, tuple[int, int, int] | None]]:
    """Return content, esm_class and SAR values of each part.

    The number that joins the parts is derived from the reference: a repeated submission has the
    same one, so that a phone recognises parts that it has.
    """
    total = len(contents)
    if total == 1:
        return [(contents[0], 0, None)]
    digest = hashlib.blake2b(reference.encode(), digest_size=2).digest()
    if form == "sar":
        number = int.from_bytes(digest)
        return [(each, 0, (number, total, place)) for place, each in enumerate(contents, 1)]
    start = bytes((_UDH_SIZE, _CONCATENATION, _CONCATENATION_SIZE, digest[0], total))
    return [
        (start + bytes((place,)) + each, _UDH_INDICATOR, None)
        for place, each in enumerate(contents, 1)
    ]


def _typed(address: tuple[int, int, str], ton: int | None, npi: int | None) -> tuple[int, int, str]:
    """Return an address with the types that the options prescribe."""
    return (
        address[0] if ton is None else ton,
        address[1] if npi is None else npi,
        address[2],
    )


def _fits(address: str) -> bool:
    return address.isascii() and 0 < len(address) <= limits.SMPP_ADDRESS_CHARS_MAX


def _validity(minutes: int) -> str:
    """Return a validity period relative to the submission; empty for the SMSC's default."""
    if not minutes:
        return ""
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"0000{day:02}{hour:02}{minute:02}00000R"
