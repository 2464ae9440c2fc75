"""Addresses of SMPP: a type of number (TON), a numbering plan (NPI), and digits or a name."""

from __future__ import annotations

from typing import Final

from parlour.vocabulary import limits

_UNKNOWN: Final = 0
_INTERNATIONAL: Final = 1
_NETWORK_SPECIFIC: Final = 3
_ALPHANUMERIC: Final = 5

_NO_PLAN: Final = 0
_ISDN: Final = 1


def to_smpp(address: str) -> tuple[int, int, str]:
    """Return TON, NPI and text of an address: international, a short code, or a name."""
    digits = address.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return _ALPHANUMERIC, _NO_PLAN, address
    if digits == address and len(digits) <= limits.SHORT_CODE_DIGITS_MAX:
        return _NETWORK_SPECIFIC, _NO_PLAN, digits
    return _INTERNATIONAL, _ISDN, digits


def from_smpp(ton: int, address: str) -> str:
    """Return an address in the API's form.

    Digits get a plus sign if the SMSC calls them international, or if they have the length of an
    international number and no other type.
    """
    digits = address.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()) or ton == _ALPHANUMERIC:
        return address
    if ton == _UNKNOWN and digits.startswith("00"):
        digits = digits[2:]
    is_long = len(digits) > limits.SHORT_CODE_DIGITS_MAX
    if ton == _INTERNATIONAL or digits != address or (ton == _UNKNOWN and is_long):
        return f"+{digits}"
    return digits
