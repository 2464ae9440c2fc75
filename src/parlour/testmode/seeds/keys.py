"""How the keys of a seed are declared: `SeedKey` and `Section`.

The declarations in ``declaration.py`` are the only list of keys. Derived from them are the checks
(``checker.py``), the JSON Schema (``schema.py``), the forms of the loader and the reference page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from parlour.operations.parameters import NoParameters, Parameters, field_parsers
from parlour.protocol.parsers import Parser, schema_of

if TYPE_CHECKING:
    from typing import Any

    from parlour.protocol.parsers import Schema


class ValueKind(StrEnum):
    """The type of a value."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    """A date, or a duration before the clock with a minus sign: ``-PT2H``."""
    JSON = "JSON"
    """Any JSON value; a text is JSON itself."""
    TEXTS = "list of texts"
    NAME = "key"
    """The local name of an object, for references."""
    SID = "sid"
    REFERENCE = "reference"
    OBJECT = "object"
    LIST = "list of objects"
    RECEIPTS = "receipts"
    """A list of objects, or an object from statuses to recipients."""


NAME_PATTERN: Final = "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"

_JSON_TYPES: Final[dict[ValueKind, Schema]] = {
    ValueKind.TEXT: {"type": "string"},
    ValueKind.INTEGER: {"type": "integer"},
    ValueKind.BOOLEAN: {"type": "boolean"},
    ValueKind.DATE: {"type": "string", "pattern": "^(-P|[0-9]{4}-[0-9]{2}-[0-9]{2})"},
    ValueKind.JSON: {},
    ValueKind.TEXTS: {"type": "array", "items": {"type": "string"}},
    ValueKind.NAME: {"type": "string", "pattern": NAME_PATTERN},
    ValueKind.REFERENCE: {"type": "string"},
}


@dataclass(frozen=True, slots=True)
class SeedKey:
    """One key of a section.

    ``wire_name`` is the parameter of the API whose parser checks the value; ``parse`` is the parser
    of a value that is no parameter of the operation that creates the object. ``codes`` are the
    errors of the API's validators that concern this key, in addition to the parser's errors.
    ``refers_to`` is the list that a reference points into; ``prefix`` is the prefix of a SID.
    """

    name: str
    about: str
    kind: ValueKind = ValueKind.TEXT
    wire_name: str = ""
    parse: Parser[Any] | None = None
    codes: tuple[int, ...] = ()
    is_required: bool = False
    words: tuple[str, ...] = ()
    chars_max: int = 0
    minimum: int | None = None
    refers_to: str = ""
    prefix: str = ""
    section: Section | None = None
    parameters: type[Parameters] | None = None
    """The parameters that ``wire_name`` belongs to; None for the parameters of the section."""


def keys_of(parameters: type[Parameters], *keys: SeedKey) -> tuple[SeedKey, ...]:
    """Return keys whose wire names belong to other parameters than their section."""
    return tuple(replace(key, parameters=parameters) for key in keys)


@dataclass(frozen=True)
class Section:
    """An object of a seed and its keys.

    ``parameters`` are the parameters of the API that the wire names belong to. A section that
    ``is_part`` of its parent has the same parameters: its values belong to the parent's form.
    """

    keys: tuple[SeedKey, ...]
    parameters: type[Parameters] = NoParameters
    is_part: bool = False

    @cached_property
    def by_name(self) -> dict[str, SeedKey]:
        """The keys by name."""
        return {key.name: key for key in self.keys}

    @cached_property
    def _parsers(self) -> dict[str, Parser[Any] | None]:
        return {
            key.name: field_parsers(key.parameters or self.parameters)[key.wire_name][0]
            if key.wire_name
            else key.parse
            for key in self.keys
        }

    def parser_of(self, key: SeedKey) -> Parser[Any] | None:
        """Return the parser of a key's values, if the API has one."""
        return self._parsers[key.name]


def value_schema(key: SeedKey, section: Section) -> Schema:
    """Return the JSON Schema of the values of a key that holds no object."""
    schema: Schema = dict(_JSON_TYPES.get(key.kind, {}))
    if key.kind is ValueKind.SID:
        schema = {"type": "string", "pattern": f"^{key.prefix}[0-9a-fA-F]{{32}}$"}
    parse = section.parser_of(key)
    if parse is not None and key.kind in {ValueKind.TEXT, ValueKind.INTEGER}:
        schema |= _narrowed(schema_of(parse), str(schema["type"]))
    if key.words:
        schema["enum"] = list(key.words)
    if key.chars_max:
        schema["maxLength"] = key.chars_max
    if key.minimum is not None:
        schema["minimum"] = key.minimum
    return schema | {"description": key.about}


def _narrowed(schema: Schema, json_type: str) -> Schema:
    """Return the part of a parameter's schema that also holds for the typed value."""
    options = schema.get("anyOf", [schema])
    found: Schema = next((each for each in options if each.get("type") == json_type), {})
    # An enumeration of the API is valid in any case, and an empty text often clears a value.
    return {name: value for name, value in found.items() if name in {"maxLength", "maximum"}}
