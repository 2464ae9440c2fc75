"""PendingDelivery receipts of SMPP: optional parameters, or the text of SMPP 3.4, appendix B."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from parlour.channels.carrier import DeliveryReport
from parlour.channels.smpp import pdus
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.channels.carrier import ReportedStatus
    from parlour.channels.smpp.pdus import DeliveredPdu

IdBase = Literal["text", "hex", "decimal"]
"""How an SMSC writes its message identifiers."""

# Bits of esm_class that make a deliver_sm a receipt: of the SMSC, or an intermediate one.
_RECEIPT: Final = 0x04
_INTERMEDIATE: Final = 0x20
_TYPE_BITS: Final = 0x3C

# State by its text and by its number: None stays sent.
_STATES: Final[dict[str, tuple[ReportedStatus, int] | None]] = {
    "DELIVRD": ("delivered", 0),
    "EXPIRED": ("undelivered", 30003),
    "UNDELIV": ("undelivered", 30005),
    "REJECTD": ("undelivered", 30007),
    "DELETED": ("undelivered", 30008),
    "UNKNOWN": ("undelivered", 30008),
    "SKIPPED": ("undelivered", 30008),
    "FAILED": ("undelivered", 30008),
    "ENROUTE": None,
    "ACCEPTD": None,
    "SCHEDUL": None,
}
_SPELLINGS: Final = {
    "DELIVERED": "DELIVRD",
    "UNDELIVERABLE": "UNDELIV",
    "UNDELIVERED": "UNDELIV",
    "REJECTED": "REJECTD",
    "ACCEPTED": "ACCEPTD",
    "SCHEDULED": "SCHEDUL",
}
_NUMBERS: Final = {
    0: "SCHEDUL",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "SKIPPED",
}
_DECIMAL_DIGITS: Final = "0123456789"
_HEX_DIGITS: Final = "0123456789abcdef"
_FIELD: Final = re.compile(r"\b(id|stat|err)\s*:\s*([^\s:]+)", re.IGNORECASE)
# The remainder is the start of the message, which may look like other fields.
_END_OF_FIELDS: Final = re.compile(r"\btext\s*:", re.IGNORECASE)


class SmscReceipt(msgspec.Struct, frozen=True):
    """A receipt as the SMSC wrote it; ``error`` is its own code, or empty."""

    message_id: str
    state: str
    error: str


def is_receipt(pdu: DeliveredPdu) -> bool:
    """Return whether it reports on a submission.

    Some SMSCs leave esm_class at 0 and send the two optional parameters.
    """
    if pdu.esm_class & _TYPE_BITS in {_RECEIPT, _INTERMEDIATE}:
        return True
    return pdus.TLV_RECEIPTED_MESSAGE_ID in pdu.tlvs and pdus.TLV_MESSAGE_STATE in pdu.tlvs


def parse_receipt(pdu: DeliveredPdu) -> SmscReceipt | None:
    """Return the receipt; None without an identifier or a state.

    Optional parameters go before the text, field by field.
    """
    text = pdu.content.decode("latin-1")
    end = _END_OF_FIELDS.search(text)
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(text[: end.start()] if end else text):
        fields.setdefault(name.lower(), value)
    message_id = pdus.parse_text(pdu.tlvs.get(pdus.TLV_RECEIPTED_MESSAGE_ID, b""))
    state = _NUMBERS.get(int.from_bytes(pdu.tlvs.get(pdus.TLV_MESSAGE_STATE, b"\xff")), "")
    message_id = message_id or fields.get("id", "")
    stated = fields.get("stat", "").upper()
    state = state or _SPELLINGS.get(stated, stated)
    if not message_id or not state:
        return None
    return SmscReceipt(message_id, state, fields.get("err", "") or _network_error(pdu))


def make_report(
    receipt: SmscReceipt, base: IdBase, error_codes: Mapping[str, int]
) -> DeliveryReport | None:
    """Return the report of a receipt; None for a state that changes nothing.

    ``error_codes`` are codes of the API by the SMSC's own; zeros at the start do not count.
    """
    outcome = _STATES.get(receipt.state, ("undelivered", 30008))
    if outcome is None:
        return None
    status, code = outcome
    if status != "delivered":
        by_number = {_without_zeros(error): mapped for error, mapped in error_codes.items()}
        code = by_number.get(_without_zeros(receipt.error), code)
    return DeliveryReport(
        status,
        provider_id=normal_id(receipt.message_id, base),
        error_code=code,
        detail=f"stat:{receipt.state} err:{receipt.error}",
    )


def normal_id(message_id: str, base: IdBase) -> str:
    """Return the one spelling of an identifier.

    Letters are lower case, without zeros at the start. With a base, a number is decimal: an SMSC
    may write the same one in hexadecimal in the response, and in decimal in the receipt.
    """
    text = _without_zeros(message_id.strip().lower())
    digits = {"text": "", "hex": _HEX_DIGITS, "decimal": _DECIMAL_DIGITS}[base]
    is_number = 0 < len(text) <= limits.SMPP_ID_DIGITS_MAX and all(each in digits for each in text)
    return str(int(text, 16 if base == "hex" else 10)) if is_number else text


def _without_zeros(text: str) -> str:
    return text.lstrip("0") or text[-1:]


def _network_error(pdu: DeliveredPdu) -> str:
    """Return the code of the optional parameter: a network type, then two octets."""
    value = pdu.tlvs.get(pdus.TLV_NETWORK_ERROR_CODE, b"")
    return str(int.from_bytes(value[1:])) if len(value) == 3 else ""
