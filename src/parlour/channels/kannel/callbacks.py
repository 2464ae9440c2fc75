"""Callbacks of Kannel: delivery reports and inbound messages, authenticated by a token in the URL.

Values are read as bytes: the text of an inbound message is in the character set that its callback
names, and an SMSC's reply may be in any.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from parlour.channels.carrier import (
    Callback,
    CallbackRefused,
    CallbackResponse,
    DeliveryReport,
    InboundMessage,
)
from parlour.channels.http_link import shorten
from parlour.channels.kannel.requests import REPORT_PATH
from parlour.protocol import addresses
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.carrier import CallbackRequest, ReportedStatus

INBOUND_PATH: Final = "inbound"

# The type of a report is a set of bits, of which the first in this table decides: Kannel 1.4.5
# reports the state EXPIRED as 34. The order of reports is not guaranteed, and a late `sent` does
# not change a receipt.
#
#   bit  meaning                      report
#   1    delivered                    delivered
#   2    not delivered                undelivered, with the code of the SMSC's state
#   16   rejected by the SMSC         failed, with the code of the SMSC's command status
#   8    accepted by the SMSC         sent
#   4    queued at the SMSC           none
#   32   intermediate notification    none
_STATUSES: Final[tuple[tuple[int, ReportedStatus], ...]] = (
    (1, "delivered"),
    (2, "undelivered"),
    (16, "failed"),
    (8, "sent"),
)

_CODE_UNKNOWN: Final = 30008
_STATE: Final = re.compile(r"\bstat:([A-Z]+)")
_CODES_OF_STATES: Final = {"EXPIRED": 30003, "EXPIRE": 30003, "UNDELIV": 30005, "REJECTD": 30007}
_TEXT: Final = re.compile(r"\btext:", re.IGNORECASE)
_NACK: Final = re.compile(r"\ANACK/(?:0x([0-9a-fA-F]{1,8}))?")
# Command statuses of SMPP: queue full, no resources, throttled; invalid sender, invalid recipient.
_CODES_OF_STATUSES: Final = {
    0x01: 30019,
    0x0A: 21606,
    0x0B: 21211,
    0x14: 30001,
    0x58: 30001,
}
# Character sets that Kannel names, by their names in Python; ASCII is the name of GSM-7 in UTF-8.
_CHARSETS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16be": "utf-16-be",
    "ucs-2": "utf-16-be",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
    "us-ascii": "utf-8",
    "": "utf-8",
}
_BINARY_CODING: Final = "1"
_EMPTY: Final = CallbackResponse(200, "text/plain", b"")


def read_callback(request: CallbackRequest, token: str) -> Callback:
    """Verify and parse a callback. Raises CallbackRefused."""
    if request.path not in {INBOUND_PATH, REPORT_PATH}:
        raise CallbackRefused(404, "there is no such callback")
    try:
        pairs = parse_qsl(
            request.query,
            keep_blank_values=True,
            encoding="latin-1",
            max_num_fields=limits.FORM_KEYS_MAX,
        )
    except ValueError as error:
        raise CallbackRefused(400, "the query is malformed") from error
    parameters = dict(reversed(pairs))  # The first value of each name.
    if not hmac.compare_digest(parameters.get("token", "").encode(), token.encode()):
        raise CallbackRefused(403, "the token is wrong")
    if request.path == REPORT_PATH:
        report = _read_report(parameters)
        return Callback(reports=() if report is None else (report,), response=_EMPTY)
    return Callback(inbound=(_read_message(request, parameters),), response=_EMPTY)


# --- Delivery reports ---------------------------------------------------------------------


def _read_report(parameters: dict[str, str]) -> DeliveryReport | None:
    """Return the report of a callback; None if the receipt does not change."""
    reference, kind = parameters.get("reference"), parameters.get("type", "")
    if not reference or not re.fullmatch(r"[0-9]{1,3}", kind):
        raise CallbackRefused(400, "reference or type is missing")
    reply = parameters.get("reply", "")
    # A receipt of SMPP ends with the start of the message, which is not for the log.
    detail = shorten(f"type {kind}: {_TEXT.split(reply)[0]}")
    status = next((status for bit, status in _STATUSES if int(kind) & bit), None)
    if status is None:
        return None
    code = 0
    if status == "undelivered":
        code = _read_state(reply)
    elif status == "failed":
        code = _read_nack(reply)
    return DeliveryReport(status, reference, error_code=code, detail=detail)


def _read_state(reply: str) -> int:
    """Return the error code of an SMPP receipt's state; 30008 for other replies."""
    found = _STATE.search(reply)
    return _CODES_OF_STATES.get(found[1], _CODE_UNKNOWN) if found else _CODE_UNKNOWN


def _read_nack(reply: str) -> int:
    """Return the error code of an SMSC's rejection; 30008 if its status is unknown."""
    found = _NACK.match(reply)
    if found is None or found[1] is None:
        return _CODE_UNKNOWN
    return _CODES_OF_STATUSES.get(int(found[1], 16), _CODE_UNKNOWN)


# --- Inbound messages ---------------------------------------------------------------------


def _read_message(request: CallbackRequest, parameters: dict[str, str]) -> InboundMessage:
    """Return the message of a callback: its text is the body of a POST, else `text`."""
    provider_id = parameters.get("id")
    if not provider_id:
        raise CallbackRefused(400, "id is missing")
    if parameters.get("coding") == _BINARY_CODING:
        raise CallbackRefused(400, "the message is binary")
    is_posted = request.method == "POST"
    raw = request.body if is_posted else parameters.get("text", "").encode("latin-1")
    return InboundMessage(
        provider_id=provider_id,
        channel=addresses.SMS,
        sender=_read_number(parameters, "from"),
        receiver=_read_number(parameters, "to"),
        group=(),
        body=_decode(raw, parameters.get("charset", "")) or None,
    )


def _read_number(parameters: dict[str, str], name: str) -> str:
    # Kannel may leave the plus sign of a number unescaped: it is read as a space.
    text = re.sub(r"\A ", "+", parameters.get(name, ""))
    address = addresses.parse_proxy_address(text)
    if address is None or address.type != addresses.SMS:
        raise CallbackRefused(400, f"{name} is not a number")
    return address.text


def _decode(raw: bytes, charset: str) -> str:
    encoding = _CHARSETS.get(charset.strip().lower())
    if encoding is None:
        raise CallbackRefused(400, "the character set is unknown")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise CallbackRefused(400, "the text is not in its character set") from error
