"""Type and name of a medium, and the headers that make its download safe in a browser.

The uploader controls type, name and bytes, so none of them is trusted. A name is for display only:
folders, control characters and bidirectional controls are removed. A type is served as declared,
but only passive types on an allow list are shown inline; everything else is an attachment. Types
that a page could load as a script or a style are served as bytes: the web console has the same
origin.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

UNKNOWN_TYPE: Final = "application/octet-stream"

_WORD: Final = r"[A-Za-z0-9!#$&^_.+-]+"
_TYPE: Final = re.compile(
    rf'{_WORD}/{_WORD}(?:[ \t]*;[ \t]*{_WORD}=(?:{_WORD}|"[\x20\x21\x23-\x5b\x5d-\x7e]*"))*\Z'
)
_INLINE: Final = frozenset(
    "image/jpeg image/png image/gif image/webp text/plain application/pdf".split()
)
# Excludes subtypes that end in +xml: a browser would render them as XML.
_INLINE_FAMILY: Final = re.compile(r"(?:audio|video)/[a-z0-9.-]+\Z")
_LOADED_BY_PAGES: Final = re.compile(r"script|wasm|/css\Z|cache-manifest")
# Controls, halves of characters, and what turns the direction of writing around.
_NOT_IN_NAMES: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_NOT_IN_QUOTES: Final = re.compile(r'[^\x20-\x7e]|["\\%]')

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        b"default-src 'none'; img-src 'self'; media-src 'self'; sandbox",
    ),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"private, no-store"),
)
"""Headers of every response with the bytes of a medium."""


def parse_type(text: str | None) -> str:
    """Return the declared type of an upload. Raises 50511 for a malformed media type."""
    if text is None or not text.strip():
        return UNKNOWN_TYPE
    found = text.strip()
    if len(found) > limits.MEDIA_TYPE_CHARS_MAX or not _TYPE.match(found):
        raise ApiError(50511)
    return found


def parse_file_name(text: str | None) -> str | None:
    """Return the sanitized name of an upload; None if it is empty. Raises 20001 if too long."""
    if text is None:
        return None
    if len(text) > limits.MEDIA_FILENAME_CHARS_MAX:
        raise ApiError.invalid("Filename")
    last = re.split(r"[/\\]", text)[-1]
    name = _NOT_IN_NAMES.sub("", last).strip()
    return None if not name.strip(". ") else name


def served_type(content_type: str) -> str:
    """Return the type with which the bytes are served."""
    return UNKNOWN_TYPE if _LOADED_BY_PAGES.search(_essence(content_type)) else content_type


def content_disposition(content_type: str, file_name: str | None) -> str:
    """Return the Content-Disposition: inline only for passive types (RFC 6266, 5987)."""
    essence = _essence(content_type)
    is_inline = essence in _INLINE or _INLINE_FAMILY.match(essence) is not None
    kind = "inline" if is_inline else "attachment"
    if file_name is None:
        return kind
    plain = _NOT_IN_QUOTES.sub("_", file_name)
    if plain == file_name:
        return f'{kind}; filename="{plain}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def _essence(content_type: str) -> str:
    """Return type and subtype without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()
