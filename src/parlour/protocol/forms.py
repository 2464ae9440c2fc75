"""Forms, query strings, path segments and JSON objects: bytes of a request to text.

Malformed escapes and invalid UTF-8 are rejected, never guessed, so that texts are stored
exactly as they were sent.
"""

from __future__ import annotations

import re
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec
from falcon.util.uri import parse_query_string

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode

FormFields: TypeAlias = dict[str, list[str]]
"""The values of each name, in the order they were sent."""

# Malformed escapes, NUL and bytes of multi-byte characters: input that the framework's compiled
# parser, which guesses and drops, would parse differently.
_UNUSUAL_ESCAPE = re.compile(r"%(?!0[1-9a-fA-F]|[1-7][0-9a-fA-F])")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})|%00")
# The characters of one byte, by their escapes in any case; NUL is rejected.
_ONE_BYTE = {
    escape: chr(code) for code in range(1, 128) for escape in (f"{code:02x}", f"{code:02X}")
}


def parse_form(body: bytes) -> FormFields:
    """Return the fields of an application/x-www-form-urlencoded body.

    Blank values are preserved. Raises ApiError 20001 for a malformed form.
    """
    return _parse(body, "Invalid post body.")


def parse_json_fields(body: bytes) -> FormFields:
    """Return the members of a JSON object as fields, which parameters read as they read a form.

    A string becomes its text, any other value its JSON; a member that is null is absent. Raises
    ApiError 20001 for anything but an object, and for more names than a form has.
    """
    try:
        members = _members(body)
        if len(members) > limits.FORM_KEYS_MAX:
            raise ApiError(20001, "Invalid JSON body.")
        texts = {name: _member_text(bytes(raw)) for name, raw in members.items()}
    except (ValueError, RecursionError):
        raise ApiError(20001, "Invalid JSON body.") from None
    return {name: [text] for name, text in texts.items() if text is not None}


def _member_text(raw: bytes) -> str | None:
    if raw == b"null":
        return None
    text = _string(raw) if raw.startswith(b'"') else raw.decode()
    if "\0" in text:
        raise ValueError(text)
    return text


def parse_query(query: bytes) -> FormFields:
    """Return the fields of a query string, under the rules of a form."""
    return _parse(query, "Invalid query string.")


def _parse(encoded: bytes, refusal: str) -> FormFields:
    if not encoded:
        return {}
    if encoded.count(b"&") >= limits.FORM_KEYS_MAX or b"\0" in encoded:
        raise ApiError(20001, refusal)
    try:
        text = encoded.decode()
        if _UNUSUAL_ESCAPE.search(text):
            return _parse_unusual(text)
    except ValueError:
        raise ApiError(20001, refusal) from None
    found = parse_query_string(text, keep_blank=True)
    return {
        name: values if isinstance(values, list) else [values] for name, values in found.items()
    }


def _parse_unusual(text: str) -> FormFields:
    """Return the fields, with escapes of any kind. Raises ValueError for malformed ones."""
    form: FormFields = {}
    # A plus sign is a space; a literal one is escaped, so it is not replaced here.
    for field in text.replace("+", " ").split("&"):
        if field:
            name, _, value = field.partition("=")
            form.setdefault(_unescape(name), []).append(_unescape(value))
    return form


def _unescape(text: str) -> str:
    """Return the decoded text. Raises ValueError for malformed escapes."""
    if "%" not in text:
        return text
    head, *rest = text.split("%")
    try:
        return head + "".join([_ONE_BYTE[part[:2]] + part[2:] for part in rest])
    except KeyError:
        return _unescape_bytes(text)


def _unescape_bytes(text: str) -> str:
    if _BROKEN_ESCAPE.search(text):
        raise ValueError(text)
    return unquote_to_bytes(text).decode()


def decode_path_segment(raw: str) -> str | None:
    """Return the text of a path segment, decoded once; None if it is not UTF-8.

    A plus sign is preserved. Bytes that were decoded with `surrogateescape` are invalid.
    """
    try:
        text = _unescape(raw)
        text.isascii() or text.encode()
    except ValueError:
        return None
    return None if "\0" in text else text
