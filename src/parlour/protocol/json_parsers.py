"""Parsers of parameters that are JSON: attributes, content variables, participants."""

from __future__ import annotations

import re
from typing import TypedDict

import msgspec

from parlour.protocol.parsers import Parser, Schema, clearable, invalid_value, with_schema
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

# Raw checks the whole grammar without building values, so that numbers of any size are
# valid.
_JSON = msgspec.json.Decoder(msgspec.Raw)
_VARIABLES = msgspec.json.Decoder(dict[str, str | bool | int | float])


class ParticipantBinding(TypedDict, total=False):
    """The ``messaging_binding`` of a participant sent as JSON."""

    address: str | None
    proxy_address: str | None
    projected_address: str | None
    type: str | None
    level: str | None
    name: str | None


class ParticipantJson(TypedDict, total=False):
    """The members of a participant sent as JSON; others are ignored."""

    identity: str | None
    attributes: str | None
    role_sid: str | None
    date_created: str | None
    date_updated: str | None
    messaging_binding: ParticipantBinding | None


_PARTICIPANT = msgspec.json.Decoder(ParticipantJson)
_ESCAPE = re.compile(r"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL)


def utf8_bytes(value: str) -> int:
    """Return the length of a text in UTF-8."""
    return len(value) if value.isascii() else len(value.encode())


def _is_json(value: str) -> bool:
    try:
        _JSON.decode(value)
    except (ValueError, RecursionError):
        return False
    return True


def _without_surrogates(value: str) -> str:
    return _ESCAPE.sub(lambda found: r"\n" if len(found[0]) > 2 else found[0], value)


def _json_schema(bytes_max: int) -> Schema:
    # A text has no more characters than bytes.
    return {"type": "string", "contentMediaType": "application/json", "maxLength": bytes_max}


def json_text(bytes_max: int, code_long: int, code_bad: int) -> Parser[str]:
    """Make the parser of JSON as text: checked, and returned exactly as received.

    Too many bytes of UTF-8 give `code_long`, anything but one JSON value `code_bad`.
    """

    def parse(name: str, value: str) -> str:
        if utf8_bytes(value) > bytes_max:
            raise invalid_value(code_long, name)
        # The decoder rejects half of a surrogate pair, which the grammar of JSON allows.
        if not _is_json(value) and not _is_json(_without_surrogates(value)):
            raise invalid_value(code_bad, name)
        return value

    return with_schema(parse, _json_schema(bytes_max))


def attributes(bytes_max: int) -> Parser[str]:
    """Make the parser of Attributes: JSON text; an empty text means `{}`."""
    return clearable(json_text(bytes_max, code_long=50303, code_bad=50304), "{}")


def content_variables() -> Parser[str]:
    """Make the parser of ContentVariables, which are returned exactly as received.

    They are a JSON object of strings, numbers and booleans (else 50527) with bounds on
    their number and size (50529), on each name (50540) and on each value (50541).
    """

    def parse(_name: str, value: str) -> str:
        if utf8_bytes(value) > limits.CONTENT_VARIABLES_BYTES_MAX:
            raise ApiError(50529)
        try:
            variables = _VARIABLES.decode(value)
        except (ValueError, RecursionError):
            raise ApiError(50527) from None
        if len(variables) > limits.CONTENT_VARIABLES_MAX:
            raise ApiError(50529)
        for key, content in variables.items():
            _check_content_variable(key, content)
        return value

    return with_schema(parse, _json_schema(limits.CONTENT_VARIABLES_BYTES_MAX))


def _check_content_variable(key: str, content: str | float) -> None:
    if "\0" in f"{key}{content}":
        raise ApiError(50527)
    if len(key) > limits.CONTENT_VARIABLE_KEY_CHARS_MAX:
        raise ApiError(50540)
    if len(str(content)) > limits.CONTENT_VARIABLE_VALUE_CHARS_MAX:
        raise ApiError(50541)


def participant_json() -> Parser[ParticipantJson]:
    """Make the parser of a Participant sent as a JSON object (else 50424)."""

    def parse(_name: str, value: str) -> ParticipantJson:
        if utf8_bytes(value) > limits.PARTICIPANT_JSON_BYTES_MAX:
            raise ApiError(50424)
        try:
            return _PARTICIPANT.decode(value)
        except (ValueError, RecursionError):
            raise ApiError(50424) from None

    return with_schema(parse, _json_schema(limits.PARTICIPANT_JSON_BYTES_MAX))
