"""Parameter values: the parsers from wire text to value, UNSET, and dates as written.

A parser takes the parameter's wire name and its text and returns the value, or raises
the ApiError the parameter is documented with. Parsers are made by the functions below,
once, when a resource's parameters are declared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Any, Final, TypeAlias, TypedDict, TypeVar
from urllib.parse import urlsplit

import msgspec

from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

T = TypeVar("T")
D = TypeVar("D")

Parser: TypeAlias = Callable[[str, str], T]
"""From (wire name, text) to the value; raises ApiError."""

Schema: TypeAlias = dict[str, Any]
"""Which texts are taken, in the words of JSON Schema."""


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        """Return the name alone."""
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Stands for a parameter that was not sent, where None is a value of its own."""

_UNSPECIFIC: Final = 20001


def refusal(code: int, name: str) -> ApiError:
    """Return the error for a bad value: the code's own, or 20001 naming the parameter."""
    return ApiError.invalid(name) if code == _UNSPECIFIC else ApiError(code)


def taking(parse: Parser[T], schema: Schema) -> Parser[T]:
    """Return the parser, which from now on says which texts it takes."""
    # An attribute of the function: parsers stay plain functions, that cost one call.
    vars(parse)["schema"] = schema
    return parse


def schema_of(parse: Parser[Any]) -> Schema:
    """Return which texts a parser takes, as far as it says: otherwise any."""
    schema: Schema = getattr(parse, "schema", {"type": "string"})
    return schema


# --- Scalars ----------------------------------------------------------------------------

_BOOLEANS: Final = {"true": True, "false": False}
_INTEGER = re.compile(rf"[+-]?[0-9]{{1,{limits.INTEGER_DIGITS_MAX}}}\Z")


def boolean(code: int = _UNSPECIFIC) -> Parser[bool]:
    """Make the parser of `true` and `false`, in any case."""

    def parse(name: str, text: str) -> bool:
        value = _BOOLEANS.get(text.lower())
        if value is None:
            raise refusal(code, name)
        return value

    return taking(parse, {"type": "boolean"})


def integer(
    code: int = _UNSPECIFIC,
    *,
    minimum: int = -limits.INTEGER_MAX,
    maximum: int = limits.INTEGER_MAX,
) -> Parser[int]:
    """Make the parser of decimal integers between two bounds, both included."""

    def parse(name: str, text: str) -> int:
        # The pattern also bounds the digits, so that int() never works for long.
        if not _INTEGER.match(text):
            raise refusal(code, name)
        value = int(text)
        if not minimum <= value <= maximum:
            raise refusal(code, name)
        return value

    return taking(parse, {"type": "integer", "minimum": minimum, "maximum": maximum})


def text(chars_max: int, code: int = _UNSPECIFIC) -> Parser[str]:
    """Make the parser of texts of up to so many characters (code points)."""

    def parse(name: str, value: str) -> str:
        if len(value) > chars_max:
            raise refusal(code, name)
        return value

    return taking(parse, {"type": "string", "maxLength": chars_max})


def sid(prefix: str, code: int = _UNSPECIFIC) -> Parser[str]:
    """Make the parser of sids with a prefix; their digits come back in lower case."""

    def parse(name: str, value: str) -> str:
        found = sids.parse(prefix, value)
        if found is None:
            raise refusal(code, name)
        return found

    return taking(parse, {"type": "string", "pattern": f"^{prefix}[0-9a-fA-F]{{32}}$"})


def enum(*values: str, code: int = _UNSPECIFIC, upper: bool = False) -> Parser[str]:
    """Make the parser of one of some words, in any case.

    The word comes back as it is declared here, or in upper case.
    """
    words = {word.lower(): word.upper() if upper else word for word in values}

    def parse(name: str, value: str) -> str:
        word = words.get(value.lower()) if value.isascii() else None
        if word is None:
            raise refusal(code, name)
        return word

    return taking(parse, {"type": "string", "enum": list(values)})


# --- JSON -------------------------------------------------------------------------------

# Raw checks the whole grammar without building values, so that a number of any size is
# the JSON it is.
_JSON = msgspec.json.Decoder(msgspec.Raw)
_VARIABLES = msgspec.json.Decoder(dict[str, str | bool | int | float])


class ParticipantBinding(TypedDict, total=False):
    """The ``messaging_binding`` of a participant sent as JSON."""

    address: str | None
    proxy_address: str | None
    projected_address: str | None


class ParticipantJson(TypedDict, total=False):
    """The members of a participant sent as JSON; nothing is made of others, however many."""

    identity: str | None
    attributes: str | None
    role_sid: str | None
    date_created: str | None
    date_updated: str | None
    messaging_binding: ParticipantBinding | None


_PARTICIPANT = msgspec.json.Decoder(ParticipantJson)
_ESCAPE = re.compile(r"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL)


def bytes_of(value: str) -> int:
    """Return the length of a text in UTF-8."""
    return len(value) if value.isascii() else len(value.encode())


def _is_json(value: str) -> bool:
    try:
        _JSON.decode(value)
    except (msgspec.DecodeError, RecursionError):
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
        if bytes_of(value) > bytes_max:
            raise refusal(code_long, name)
        # The decoder refuses half of a surrogate pair, which the grammar of JSON allows.
        if not _is_json(value) and not _is_json(_without_surrogates(value)):
            raise refusal(code_bad, name)
        return value

    return taking(parse, _json_schema(bytes_max))


def attributes(bytes_max: int) -> Parser[str]:
    """Make the parser of Attributes: JSON text, empty standing for `{}`."""
    return clearable(json_text(bytes_max, code_long=50303, code_bad=50304), "{}")


def content_variables() -> Parser[str]:
    """Make the parser of ContentVariables, which come back exactly as received.

    They are a JSON object of strings, numbers and booleans (else 50527) with bounds on
    their number and size (50529), on each name (50540) and on each value (50541).
    """

    def parse(_name: str, value: str) -> str:
        if bytes_of(value) > limits.CONTENT_VARIABLES_BYTES_MAX:
            raise ApiError(50529)
        try:
            variables = _VARIABLES.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise ApiError(50527) from None
        if len(variables) > limits.CONTENT_VARIABLES_MAX:
            raise ApiError(50529)
        for key, content in variables.items():
            _check_content_variable(key, content)
        return value

    return taking(parse, _json_schema(limits.CONTENT_VARIABLES_BYTES_MAX))


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
        if bytes_of(value) > limits.PARTICIPANT_JSON_BYTES_MAX:
            raise ApiError(50424)
        try:
            return _PARTICIPANT.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise ApiError(50424) from None

    return taking(parse, _json_schema(limits.PARTICIPANT_JSON_BYTES_MAX))


# --- Dates ------------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_AS_CLIENTS_SEND = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|\+00:00)\Z"
)
# A `+` that was sent without percent-encoding arrives as a space.
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]{1,30})?"
    r"(?:Z|([-+ ])([0-9]{2}):?([0-9]{2})))?\Z"
)
_HOURS = 24
_MINUTES = 60


def timestamp(code: int = _UNSPECIFIC) -> Parser[int]:
    """Make the parser of ISO 8601 dates: milliseconds since 1970 UTC, in whole seconds.

    Fractions are cut, offsets are converted, a date alone is its midnight in UTC, and a
    time has to say its offset. Years go from 1 to 9999, in UTC too.
    """

    def parse(name: str, value: str) -> int:
        if _AS_CLIENTS_SEND.match(value):
            try:
                return int(datetime.fromisoformat(value).timestamp()) * 1000
            except ValueError:
                raise refusal(code, name) from None
        found = _TIMESTAMP.match(value)
        moment = None if found is None else _moment(found)
        if moment is None:
            raise refusal(code, name)
        return (moment - _EPOCH) // _SECOND * 1000

    return taking(parse, {"type": "string", "format": "date-time"})


def _moment(found: re.Match[str]) -> datetime | None:
    sign, hours, minutes = found[7], int(found[8] or 0), int(found[9] or 0)
    if hours >= _HOURS or minutes >= _MINUTES:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        return None


def write_date(ms: int) -> str:
    """Return milliseconds since 1970 as every answer shows them: YYYY-MM-DDTHH:MM:SSZ."""
    return _write_seconds(ms // 1000)


# Pages show the same few dates again and again.
@lru_cache(maxsize=limits.WRITTEN_DATES_MAX)
def _write_seconds(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19] + "Z"


def write_date_ms(ms: int) -> str:
    """Return milliseconds since 1970 with their fraction: YYYY-MM-DDTHH:MM:SS.mmmZ."""
    return f"{write_date(ms)[:19]}.{ms % 1000:03}Z"


# --- URLs -------------------------------------------------------------------------------

_SCHEMES = frozenset({"http", "https"})
_HOST = re.compile(r"[^\s/?#@:\[\]<>\"{}|\\^`%]{1,253}\Z")


def url(
    code: int = _UNSPECIFIC,
    *,
    chars_max: int = limits.URL_CHARS_MAX,
    code_long: int | None = None,
) -> Parser[str]:
    """Make the parser of absolute http and https URLs, which come back as received.

    A longer one gives `code_long`, or `code` where there is none.
    """

    def parse(name: str, value: str) -> str:
        if len(value) > chars_max:
            raise refusal(code if code_long is None else code_long, name)
        if not _is_url(value):
            raise refusal(code, name)
        return value

    return taking(parse, {"type": "string", "format": "uri", "maxLength": chars_max})


def _is_url(value: str) -> bool:
    # isprintable() is false for control characters and for every space but " ".
    if " " in value or "\\" in value or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return (
        parts.scheme in _SCHEMES
        and port != 0
        and (_is_ipv6(host) if "[" in parts.netloc else _HOST.match(host) is not None)
    )


def _is_ipv6(host: str) -> bool:
    try:
        # A zone names an interface of the host that wrote the URL, so it is refused.
        return IPv6Address(host).scope_id is None
    except ValueError:
        return False


# --- Parsers from parsers ---------------------------------------------------------------


def nullable(parser: Parser[T]) -> Parser[T | None]:
    """Make a parser that takes an empty text and the word `null` for None."""

    def parse(name: str, value: str) -> T | None:
        return None if value in {"", "null"} else parser(name, value)

    return taking(parse, {"anyOf": [schema_of(parser), {"enum": ["", "null"]}]})


def clearable(parser: Parser[T], value: D) -> Parser[T | D]:
    """Make a parser that takes an empty text for a given value."""

    def parse(name: str, received: str) -> T | D:
        return parser(name, received) if received else value

    return taking(parse, {"anyOf": [schema_of(parser), {"enum": [""]}]})
