"""Parsers of parameters: from the text on the wire to a value.

A parser takes the parameter's wire name and its text and returns the value, or raises the ApiError
that the parameter is documented with. The functions below make the parsers, once, when the
parameters of a resource are declared. Parsers of JSON, timestamps and URLs are in ``json_parsers``,
``timestamps`` and ``url_parsers``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

T = TypeVar("T")
D = TypeVar("D")

Parser: TypeAlias = Callable[[str, str], T]
"""From (wire name, text) to the value; raises ApiError."""

Schema: TypeAlias = dict[str, Any]
"""The accepted texts, as JSON Schema."""

UNSPECIFIC: Final = 20001
"""The code of an invalid value without a specific code."""


def invalid_value(code: int, name: str) -> ApiError:
    """Return the error for a bad value: the code's own, or 20001 naming the parameter."""
    return ApiError.invalid(name) if code == UNSPECIFIC else ApiError(code)


def with_schema(parse: Parser[T], schema: Schema) -> Parser[T]:
    """Attach the schema of accepted texts to a parser, and return the parser."""
    # An attribute of the function: a parser stays a plain function, which costs one call.
    vars(parse)["schema"] = schema
    return parse


def schema_of(parse: Parser[Any]) -> Schema:
    """Return the schema of a parser's texts; any string if it has none."""
    schema: Schema = getattr(parse, "schema", {"type": "string"})
    return schema


# --- Scalars ----------------------------------------------------------------------------

_BOOLEANS: Final = {"true": True, "false": False}
_INTEGER = re.compile(rf"[+-]?[0-9]{{1,{limits.INTEGER_DIGITS_MAX}}}\Z")


def boolean(code: int = UNSPECIFIC) -> Parser[bool]:
    """Make the parser of `true` and `false`, in any case."""

    def parse(name: str, text: str) -> bool:
        value = _BOOLEANS.get(text.lower())
        if value is None:
            raise invalid_value(code, name)
        return value

    return with_schema(parse, {"type": "boolean"})


def integer(
    code: int = UNSPECIFIC,
    *,
    minimum: int = -limits.INTEGER_MAX,
    maximum: int = limits.INTEGER_MAX,
) -> Parser[int]:
    """Make the parser of decimal integers between two bounds, both included."""

    def parse(name: str, text: str) -> int:
        # The pattern also bounds the digits, because int() takes quadratic time.
        if not _INTEGER.match(text):
            raise invalid_value(code, name)
        value = int(text)
        if not minimum <= value <= maximum:
            raise invalid_value(code, name)
        return value

    return with_schema(parse, {"type": "integer", "minimum": minimum, "maximum": maximum})


def text(chars_max: int, code: int = UNSPECIFIC) -> Parser[str]:
    """Make the parser of texts of up to ``chars_max`` characters (code points)."""

    def parse(name: str, value: str) -> str:
        if len(value) > chars_max:
            raise invalid_value(code, name)
        return value

    return with_schema(parse, {"type": "string", "maxLength": chars_max})


def sid(prefix: str, code: int = UNSPECIFIC) -> Parser[str]:
    """Make the parser of SIDs with a prefix; their digits are converted to lower case."""

    def parse(name: str, value: str) -> str:
        found = sids.parse(prefix, value)
        if found is None:
            raise invalid_value(code, name)
        return found

    return with_schema(parse, {"type": "string", "pattern": f"^{prefix}[0-9a-fA-F]{{32}}$"})


def enum(*values: str, code: int = UNSPECIFIC, upper: bool = False) -> Parser[str]:
    """Make the parser of an enumeration, in any case.

    The value is the declared word, or the word in upper case.
    """
    words = {word.lower(): word.upper() if upper else word for word in values}

    def parse(name: str, value: str) -> str:
        word = words.get(value.lower()) if value.isascii() else None
        if word is None:
            raise invalid_value(code, name)
        return word

    return with_schema(parse, {"type": "string", "enum": list(values)})


# --- Combinators ------------------------------------------------------------------------


def nullable(parser: Parser[T]) -> Parser[T | None]:
    """Make a parser that maps an empty text and the word `null` to None."""

    def parse(name: str, value: str) -> T | None:
        return None if value in {"", "null"} else parser(name, value)

    return with_schema(parse, {"anyOf": [schema_of(parser), {"enum": ["", "null"]}]})


def clearable(parser: Parser[T], value: D) -> Parser[T | D]:
    """Make a parser that maps an empty text to a given value."""

    def parse(name: str, received: str) -> T | D:
        return parser(name, received) if received else value

    return with_schema(parse, {"anyOf": [schema_of(parser), {"enum": [""]}]})
