"""Parameters of the media operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.operations.parameters import Parameters, form_field, internal_field
from parlour.protocol import media_headers, parsers
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

CATEGORIES: Final = ("media", "body", "history")


class Upload(msgspec.Struct, frozen=True):
    """A file whose bytes are stored already, under its SID."""

    sid: str
    size: int
    content_type: str
    filename: str | None
    category: str


def _category(name: str, text: str) -> str:
    # Unlike other enumerations of the API, this one is case-sensitive.
    if text not in CATEGORIES:
        raise ApiError.invalid(name)
    return text


def _file_name(_name: str, text: str) -> str | None:
    return media_headers.parse_file_name(text)


class CreateMedia(Parameters):
    """The query of an upload; ``upload`` describes the bytes once they are stored."""

    category: str | Unset = form_field(
        "Category", parsers.with_schema(_category, {"type": "string", "enum": list(CATEGORIES)})
    )
    filename: str | Unset | None = form_field("Filename", _file_name)
    upload: Upload | Unset = internal_field()


class FetchMediaSet(Parameters):
    """The SIDs of a set, from a JSON body."""

    sids: list[str] = internal_field()


class _RequestedMedium(msgspec.Struct):
    """One medium of a set."""

    media_sid: str


class _RequestedSet(msgspec.Struct):
    """The JSON body of a MediaSet request."""

    command: str
    media: list[_RequestedMedium] = msgspec.field(name="list")


def parse_media_set(body: bytes) -> FetchMediaSet:
    """Return the SIDs that the body of a MediaSet request names. Raises 20001 and 20413."""
    if len(body) > limits.MEDIA_SET_BYTES_MAX:
        raise ApiError(20413)
    try:
        requested = msgspec.json.decode(body, type=_RequestedSet)
    except (ValueError, RecursionError):
        raise ApiError(20001, "Invalid post body.") from None
    if requested.command != "get":
        raise ApiError.invalid("command")
    if len(requested.media) > limits.MEDIA_SET_MAX:
        raise ApiError.invalid("list")
    return FetchMediaSet(sids=[each.media_sid for each in requested.media])
