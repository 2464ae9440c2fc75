"""The sids: two letters that say what it is, and 32 hexadecimal digits.

Made in lower case; in requests the digits are accepted in any case.
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
WEBHOOK_ATTEMPT: Final = "NO"

_DIGITS = re.compile(r"[0-9a-fA-F]{32}\Z")
_NORMAL_DIGITS = re.compile(r"[0-9a-f]{32}\Z")


def is_sid(prefix: str, text: str) -> bool:
    """Whether the text is a sid with this prefix (the prefix in its own case)."""
    return text[:2] == prefix and _DIGITS.match(text, 2) is not None


def parse(prefix: str, text: str) -> str | None:
    """Return the sid as it is stored, or None if the text is no sid with this prefix."""
    if text[:2] != prefix:
        return None
    # Nearly every sid comes as it was given.
    if _NORMAL_DIGITS.match(text, 2) is not None:
        return text
    return normal(text) if _DIGITS.match(text, 2) is not None else None


def normal(text: str) -> str:
    """The sid as it is stored: its digits in lower case."""
    return text[:2] + text[2:].lower()
