"""Texts of mail headers: charsets, encoded words, parameters and addresses. No I/O.

Everything here gets text from strangers: nothing raises, unknown charsets and malformed words are
replaced, and each function reads at most a bounded prefix, because the parsers of the standard
library need quadratic time.
"""

from __future__ import annotations

import binascii
import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import collapse_rfc2231_value, getaddresses
from encodings import aliases, normalize_encoding
from typing import Final, NamedTuple

from parlour.protocol import addresses
from parlour.protocol.storable_text import storable
from parlour.vocabulary import limits

_DEFAULT_TYPE: Final = "text/plain"
# A lookup of any other name would import modules and fill a cache under names that peers choose;
# the codecs left out here are slow, or no charsets of mails.
_CHARSETS: Final = frozenset({*aliases.aliases, *aliases.aliases.values()}) - {
    "base64_codec",
    "bz2_codec",
    "hex_codec",
    "idna",
    "mbcs",
    "punycode",
    "quopri_codec",
    "raw_unicode_escape",
    "rot_13",
    "unicode_escape",
    "uu_codec",
    "zlib_codec",
}
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]+")
_TOKEN_PAIR: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}\Z")


class Mailbox(NamedTuple):
    """One address of a header, with its domain in lower case, and its display name."""

    name: str | None
    address: str


class ParameterizedValue(NamedTuple):
    """The value of a header like Content-Type: lower-case value, parameters by lower-case name."""

    value: str
    parameters: dict[str, str]


def decode_charset(content: bytes, charset: str | None) -> str:
    """Return text in a charset; in an unknown one as UTF-8, else as Windows-1252.

    Malformed bytes are replaced, and characters that no database stores are left out.
    """
    name = normalize_encoding((charset or "").strip().lower()[:64])
    if name in _CHARSETS and name not in ("ascii", "us_ascii"):
        try:
            return storable(content.decode(name, "replace"))
        except (LookupError, ValueError):
            # The codec is no charset, or does not support replacement: as if it were unknown.
            return _guess(content)
    return _guess(content)


def decode_words(value: str) -> str:
    """Return a header's text in one line, with its encoded words (RFC 2047) decoded."""
    value = value[: limits.EMAIL_HEADER_CHARS_READ_MAX]
    try:
        pieces = decode_header(value)
    except (HeaderParseError, binascii.Error, ValueError):
        pieces = [(value, None)]
    text = "".join(
        piece if isinstance(piece, str) else decode_charset(piece, charset)
        for piece, charset in pieces
    )
    return _CONTROLS.sub(" ", storable(text)).strip()


def parse_parameters(value: str) -> ParameterizedValue:
    """Return a header's value and its parameters, in the forms of RFC 2045, 2047 and 2231."""
    parsed = Message()
    parsed["x"] = _CONTROLS.sub(" ", value[: limits.EMAIL_HEADER_CHARS_READ_MAX])
    try:
        pairs = parsed.get_params([], header="x")
    except (ValueError, LookupError, TypeError):
        # Continuations of RFC 2231 without a number or with two of the same one.
        pairs = [(value.partition(";")[0], "")]
    texts = {
        name.lower(): decode_words(collapse_rfc2231_value(text, "replace"))
        if not isinstance(text, tuple)
        else _rfc2231_text(text)
        for name, text in pairs[1 : limits.EMAIL_PARAMETERS_MAX]
    }
    return ParameterizedValue(pairs[0][0].strip().lower() if pairs else "", texts)


def parse_content_type(value: str | None) -> ParameterizedValue:
    """Return a valid type and its parameters; text/plain for a missing or malformed one."""
    if value is None:
        return ParameterizedValue(_DEFAULT_TYPE, {})
    parsed = parse_parameters(value)
    if _TOKEN_PAIR.match(parsed.value) is None:
        return ParameterizedValue(_DEFAULT_TYPE, parsed.parameters)
    return parsed


def parse_mailboxes(value: str) -> list[Mailbox]:
    """Return the valid addresses of a header like To, in order; groups are flattened."""
    try:
        pairs = getaddresses([value[: limits.EMAIL_ADDRESSES_CHARS_READ_MAX]])
    except (RecursionError, ValueError, IndexError):
        # Nested comments of a hostile header.
        return []
    found = [
        Mailbox(decode_words(name)[: limits.FRIENDLY_NAME_CHARS_MAX] or None, address)
        for name, each in pairs
        if (address := normal_address(each)) is not None
    ]
    return found[: limits.EMAIL_RECIPIENTS_MAX]


def normal_address(text: str) -> str | None:
    """Return an e-mail address with its domain in lower case; None if it is invalid."""
    local, _, domain = text.strip().rpartition("@")
    address = f"{local}@{domain.lower()}"
    parsed = addresses.parse_address(address)
    return address if parsed is not None and parsed.type == addresses.EMAIL else None


def _guess(content: bytes) -> str:
    try:
        return storable(content.decode())
    except UnicodeDecodeError:
        return storable(content.decode("cp1252", "replace"))


def _rfc2231_text(value: tuple[str | None, str | None, str]) -> str:
    charset, _, text = value
    content = text.encode("latin-1", "replace")
    return _CONTROLS.sub(" ", decode_charset(content, charset)).strip()
