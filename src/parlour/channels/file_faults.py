"""Errors in the carriers file: each with the file, the line and the defect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.toml_lines import KeyPath, TomlDocument

S = TypeVar("S", bound=msgspec.Struct)

_PLACE: Final = re.compile(r"(.*) - at `\$(.*)`\Z", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_FIELD: Final = re.compile(r"Object (?:contains unknown|missing required) field `([^`]*)`")
_WORDS: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "a table",
    "datetime": "a date",
}
_KINDS: Final = re.compile(r"`(\w+(?: \| \w+)*)`")
_REFERENCE_HINT: Final = '; a reference is { env = "NAME" } or { file = "PATH" }'


class CarriersFileError(Exception):
    """The carriers file cannot be used: one message for each error."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults: Final = tuple(faults)


class FileFaults:
    """Collects the errors of a file, with their lines."""

    def __init__(self, path: str, document: TomlDocument) -> None:
        self._path = path
        self._document = document
        self._found: list[tuple[int, str]] = []

    def add(self, place: KeyPath, text: str) -> None:
        """Record an error at a value of the file."""
        self._found.append((self.line_of(place), text))

    def line_of(self, place: KeyPath) -> int:
        """Return the line of a value of the file."""
        return self._document.line_of(*place)

    def where(self, place: KeyPath) -> str:
        """Return the file and the line of a value, for messages."""
        return f"{self._path}:{self.line_of(place)}"

    def check(self) -> None:
        """Raise CarriersFileError if there are errors, in the order of the file."""
        if not self._found:
            return
        shown = sorted(self._found)[: limits.CARRIERS_FILE_ERRORS_MAX]
        faults = [f"{self._path}:{line}: {text}." for line, text in shown]
        if len(shown) < len(self._found):
            faults.append(f"{self._path}: {len(self._found) - len(shown)} further errors.")
        raise CarriersFileError(faults)

    def convert(self, values: object, kind: type[S], place: KeyPath) -> S | None:
        """Return a table as a struct, strictly; record the errors and return None if it is none.

        msgspec reports one error at a time, so unknown and missing keys are recorded first.
        """
        if not isinstance(values, dict):
            self.add(place, f"{_name(place)} is no table")
            return None
        fields = msgspec.structs.fields(kind)
        known = [each.encode_name for each in fields]
        unknown = [key for key in values if key not in known]
        for key in unknown:
            self.add((*place, key), f"unknown key {key!r}; allowed are {', '.join(known)}")
        missing = [
            each.encode_name for each in fields if each.required and each.encode_name not in values
        ]
        for key in missing:
            self.add(place, f"{_name(place)}: {key} is required")
        if unknown or missing:
            return None
        try:
            return msgspec.convert(values, kind, strict=True)
        except msgspec.ValidationError as error:
            self._add_validation(str(error), place, kind)
            return None

    def _add_validation(self, text: str, place: KeyPath, kind: type[msgspec.Struct]) -> None:
        """Record an error of msgspec; ``text`` ends in the path of the value, if it is inside."""
        match = _PLACE.match(text)
        inner: KeyPath = ()
        if match is not None:
            text = match[1]
            inner = tuple(key or int(index) for key, index in _STEP.findall(match[2]))
        field = _FIELD.match(text)
        if field is not None and "unknown" in text:
            inner = (*inner, field[1])
            text = "unknown key"
        elif field is not None:
            text = f"{field[1]} is required"
        else:
            text = _KINDS.sub(lambda found: _kinds(found[1]), text)
            text = text[:1].lower() + text[1:]
            if text.startswith("invalid enum value"):
                text += f"; allowed are {_choices(kind, inner)}"
            elif text == "expected text, got a table":
                text += _REFERENCE_HINT
        self.add((*place, *inner), f"{_name(inner) or _name(place)}: {text}")


def _kinds(names: str) -> str:
    """Return the kinds of a value, which msgspec writes as ``str | null``, in words."""
    kinds = [_WORDS.get(each, each) for each in names.split(" | ") if each != "null"]
    return " or ".join(kinds)


def _choices(kind: type[msgspec.Struct], place: KeyPath) -> str:
    """Return the values that an option may have."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    found = next(each.type for each in info.fields if each.encode_name == place[0])
    kinds = found.types if isinstance(found, msgspec.inspect.UnionType) else (found,)
    values = [
        str(value)
        for each in kinds
        if isinstance(each, msgspec.inspect.LiteralType)
        for value in each.values
    ]
    return ", ".join(sorted(values)) or "others"


def _name(place: KeyPath) -> str:
    """Return a path as TOML writes it; tables of an array count from 1."""
    name = ""
    for each in place:
        if isinstance(each, int):
            name += f"[{each + 1}]"
        else:
            name += f".{each}" if name else each
    return name
