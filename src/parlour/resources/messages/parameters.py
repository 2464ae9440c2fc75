"""Parameters of the operations on messages."""

from __future__ import annotations

from typing import ClassVar

from parlour.operations.parameters import Parameters, form_field, internal_field
from parlour.protocol import json_parsers, parsers, timestamps
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, Unset

_author_text = parsers.text(limits.AUTHOR_CHARS_MAX, 50310)
_given_media_sid = parsers.sid(sids.MEDIA, 50510)


def _body(_name: str, text: str) -> str:
    """Return a text, limited in bytes; the limit in characters depends on the recipients."""
    if json_parsers.utf8_bytes(text) > limits.MESSAGE_BODY_BYTES_MAX:
        raise ApiError(50504)
    return text


def _author(name: str, text: str) -> str | Unset:
    """Return an author; empty counts as absent."""
    return _author_text(name, text) or UNSET


def _media_sid(name: str, text: str) -> str:
    if not text:
        raise ApiError(50506)
    return _given_media_sid(name, text)


class MessageParameters(Parameters):
    """The parameters that create and update have in common."""

    author: str | Unset = form_field("Author", _author)
    body: str | Unset = form_field("Body", _body)
    date_created: int | Unset = form_field("DateCreated", timestamps.timestamp(50308))
    date_updated: int | Unset = form_field("DateUpdated", timestamps.timestamp(50309))
    attributes: str | Unset = form_field(
        "Attributes", json_parsers.attributes(limits.MESSAGE_ATTRIBUTES_BYTES_MAX)
    )
    subject: str | Unset = form_field("Subject", parsers.text(limits.SUBJECT_CHARS_MAX))


class CreateMessage(MessageParameters):
    """A new message: all parameters are optional."""

    media_sid: str | Unset = form_field("MediaSid", _media_sid)
    media_sids: list[str] | Unset = internal_field()
    """The media of a connected user's message: see ``SendMessage``."""
    content_sid: str | Unset = form_field("ContentSid", parsers.sid(sids.CONTENT, 50526))
    content_variables: str | Unset = form_field(
        "ContentVariables", json_parsers.content_variables()
    )


class SendMessage(CreateMessage):
    """A new message as a client sends it: with several media, up to a limit."""

    media_sids: list[str] | Unset = form_field("MediaSids", _media_sid, repeated=True)


class UpdateMessage(MessageParameters):
    """A change of a message. Absent means unchanged."""

    empty_update_code: ClassVar[int | None] = 20161


class ListMessages(Parameters):
    """The order of a list: by index, ascending by default."""

    order: str | Unset = form_field("Order", parsers.enum("asc", "desc"))
