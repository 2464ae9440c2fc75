"""SIDs: a prefix of two letters for the kind of object, and 32 hexadecimal digits.

Digits are lower case; requests may send them in any case.
"""

from __future__ import annotations

import re
from typing import Final

ACCOUNT: Final = "AC"
SERVICE: Final = "IS"
CONVERSATION: Final = "CH"
PARTICIPANT: Final = "MB"
MESSAGE: Final = "IM"
MEDIA: Final = "ME"
RECEIPT: Final = "DY"
SCOPED_WEBHOOK: Final = "WH"
ROLE: Final = "RL"
USER: Final = "US"
CREDENTIAL: Final = "CR"
ADDRESS_CONFIGURATION: Final = "IG"
MESSAGING_SERVICE: Final = "MG"
STUDIO_FLOW: Final = "FW"
CONTENT: Final = "HX"
API_KEY: Final = "SK"
SMS: Final = "SM"
MMS: Final = "MM"
WHATSAPP_MESSAGE: Final = "WA"
REQUEST: Final = "RQ"
PUSH_BINDING: Final = "BS"
EVENT: Final = "EV"
FRAME: Final = "TM"
CONNECTION: Final = "CN"
WEBHOOK_ATTEMPT: Final = "NO"
FAULT: Final = "FA"
OPERATOR: Final = "OP"
CONSOLE_SESSION: Final = "CS"
AUDIT_LINE: Final = "AE"

_DIGITS = re.compile(r"[0-9a-fA-F]{32}\Z")
_NORMAL_DIGITS = re.compile(r"[0-9a-f]{32}\Z")


def is_sid(prefix: str, text: str) -> bool:
    """Return whether the text is a SID with this prefix; the prefix is case-sensitive."""
    return text[:2] == prefix and _DIGITS.match(text, 2) is not None


def parse(prefix: str, text: str) -> str | None:
    """Return the SID in its stored form, or None if the text is not a SID with this prefix."""
    if text[:2] != prefix:
        return None
    # Fast path: nearly every SID is sent in its stored form.
    if _NORMAL_DIGITS.match(text, 2) is not None:
        return text
    return normal(text) if _DIGITS.match(text, 2) is not None else None


def normal(text: str) -> str:
    """Return a SID in its stored form: with digits in lower case."""
    return text[:2] + text[2:].lower()
