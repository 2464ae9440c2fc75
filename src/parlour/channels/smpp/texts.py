"""Texts of inbound messages, by their data coding (SMPP 3.4, 5.2.19; 3GPP TS 23.038, 4)."""

from __future__ import annotations

from typing import Final, Literal

from parlour.protocol.sms_segments import decode_gsm7

DefaultAlphabet = Literal["gsm7", "latin1"]
"""What the SMSC sends as data coding 0."""

UCS2: Final = 8
_CODECS: Final = {
    1: "ascii",
    3: "latin-1",
    5: "shift_jis",
    6: "iso8859-5",
    7: "iso8859-8",
    8: "utf-16-be",
    10: "iso2022_jp",
    14: "euc_kr",
}
# Codes of characters in GSM-7 that are control characters in ASCII.
_NO_TEXT: Final = frozenset(range(0x20)) - frozenset(b"\n\r\t")
_BINARY: Final = frozenset({2, 4})


def decode_text(octets: bytes, data_coding: int, alphabet: DefaultAlphabet) -> str:
    """Return a text; what its coding does not define becomes U+FFFD.

    Binary content is read as UTF-8, or else octet by octet. The database stores no U+0000.
    """
    codec = _codec(data_coding, alphabet)
    if codec == "ascii" and not _NO_TEXT.isdisjoint(octets):
        # Some SMSCs send GSM-7 under the coding of ASCII.
        codec = "gsm7"
    if codec == "gsm7":
        text = decode_gsm7(octets)
    elif codec == "binary":
        text = _decode_binary(octets)
    else:
        text = octets.decode(codec, errors="replace")
    return text.replace("\0", "")


def _codec(data_coding: int, alphabet: DefaultAlphabet) -> str:
    """Return gsm7, binary, or the name of a codec of Python."""
    default = "gsm7" if alphabet == "gsm7" else "latin-1"
    if data_coding in _CODECS:
        return _CODECS[data_coding]
    if data_coding in _BINARY:
        return "binary"
    # Groups of TS 23.038 that SMPP passes through: a message class, or compressed text.
    group = data_coding >> 4
    if group == 0xF:
        return "binary" if data_coding & 0x04 else default
    if group in {0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7}:
        return (default, "binary", "utf-16-be", default)[data_coding >> 2 & 0x03]
    if group == 0xE:
        return "utf-16-be"
    return default


def _decode_binary(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
