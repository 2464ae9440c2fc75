"""Addresses of participants and senders: their channels, and their validation."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from parlour.vocabulary import limits

SMS: Final = "sms"
WHATSAPP: Final = "whatsapp"
MESSENGER: Final = "messenger"
RCS: Final = "rcs"
GBM: Final = "gbm"
APPLE: Final = "apple"
EMAIL: Final = "email"

_NUMBER = r"\+[1-9][0-9]{1,14}"
_USER_ID = r"[A-Z]{2}(?:\.[A-Za-z0-9]+)+"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._~/-]*"
_DOMAIN_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (SMS, re.compile(rf"{_NUMBER}\Z")),
    # A user without a number has an id instead: the country and letters or digits.
    (WHATSAPP, re.compile(rf"whatsapp:(?:{_NUMBER}|{_USER_ID})\Z")),
    (MESSENGER, re.compile(rf"messenger:{_NAME}\Z")),
    (RCS, re.compile(rf"rcs:(?:{_NUMBER}|{_NAME})\Z")),
    (GBM, re.compile(rf"gbm:{_NAME}\Z")),
    (APPLE, re.compile(r"(?:apple|urn:mbid):[A-Za-z0-9+/=:._-]+\Z")),
    (
        EMAIL,
        re.compile(
            r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
            rf"@{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})+\Z"
        ),
    ),
)
_SHORT_CODE = re.compile(r"[0-9]{3,8}\Z")
_LOST_PLUS = re.compile(r"\s+[0-9]")


class ChannelAddress(NamedTuple):
    """An address: its channel, and its text."""

    type: str
    text: str


def normalise_address(text: str) -> str:
    """Return an address in the form in which addresses are compared.

    Without blanks around it, the prefix of its channel and the domain of a mailbox in lower case.
    A blank before digits is the ``+`` of a form that was not percent-encoded: it stays, so that the
    address is invalid.
    """
    trimmed = text.rstrip() if _LOST_PLUS.match(text) else text.strip()
    prefix, colon, rest = trimmed.partition(":")
    if colon and "@" not in prefix:
        return f"{prefix.lower()}:{rest}"
    local, at, domain = trimmed.rpartition("@")
    return f"{local}@{domain.lower()}" if at else trimmed


def parse_address(text: str) -> ChannelAddress | None:
    """Return the address of a participant; None if it is invalid.

    That is a number in E.164, one of the channels' own addresses with its prefix, or an
    e-mail address.
    """
    if len(text) > limits.ADDRESS_CHARS_MAX:
        return None
    for kind, pattern in _PATTERNS:
        if pattern.match(text):
            return ChannelAddress(kind, text)
    return None


def parse_proxy_address(text: str) -> ChannelAddress | None:
    """Return the address of a sender, short codes included; None if it is invalid."""
    if _SHORT_CODE.match(text):
        return ChannelAddress(SMS, text)
    found = parse_address(text)
    if found is not None and found.type == WHATSAPP and not found.text.startswith("whatsapp:+"):
        return None
    return found
