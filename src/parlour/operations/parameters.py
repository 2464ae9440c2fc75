"""What may be said: a request's form as a typed record.

A resource declares one frozen dataclass for each operation that takes parameters; each field names
its wire name and its parser. Absent means ``UNSET``. Unknown names are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from parlour.protocol.parsers import schema_of
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.protocol.forms import FormFields
    from parlour.protocol.parsers import Schema


class _Field(NamedTuple):
    name: str
    wire_name: str
    parse: Callable[[str, str], Any]
    required: bool
    repeated: bool


def form_field(
    wire_name: str,
    parse: Callable[[str, str], Any],
    *,
    required: bool = False,
    repeated: bool = False,
) -> Any:
    """A field of a ``Parameters`` class: its name on the wire and what makes a value of its text.

    ``repeated`` fields become lists; a single one sent more than once counts by its last value.
    """
    return field(
        default=UNSET,
        metadata={"form_field": (wire_name, parse, required, repeated)},
    )


def internal_field() -> Any:
    """A field of a ``Parameters`` class that no form sets: for those who make the record."""
    return field(default=UNSET, metadata={"form_field": None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Base of every operation's parameters."""

    empty_update_code: ClassVar[int | None] = None
    """The error of an update without any known parameter; None where that is allowed."""

    @classmethod
    def parse(cls, form: FormFields) -> Self:
        """The record of a form. Raises ApiError: missing ones first, then in order of fields."""
        plan = _plan(cls)
        if cls.empty_update_code and plan.wire_names.isdisjoint(form):
            raise ApiError(cls.empty_update_code)
        for wire_name in plan.required:
            if not any(form.get(wire_name, ())):
                raise ApiError.missing(wire_name)
        values: dict[str, Any] = {}
        if form:
            for entry in plan.fields:
                texts = form.get(entry.wire_name)
                if texts is None:
                    continue
                if entry.repeated:
                    values[entry.name] = _each(entry, texts)
                else:
                    values[entry.name] = entry.parse(entry.wire_name, texts[-1])
        return cls(**values)

    @classmethod
    def used_part(cls, form: FormFields) -> FormFields:
        """The part of a form that ``parse`` reads; of a value that is not used its first letter."""
        counted: FormFields = {}
        for entry in _plan(cls).fields:
            texts = form.get(entry.wire_name)
            if texts is not None:
                is_all = entry.repeated or len(texts) == 1
                counted[entry.wire_name] = texts if is_all else [max(texts)[:1], texts[-1]]
        return counted

    def given(self) -> dict[str, Any]:
        """The values that were sent, by the names of their fields."""
        found = ((name, getattr(self, name)) for name in _plan(type(self)).names)
        return {name: value for name, value in found if value is not UNSET}


def _each(entry: _Field, texts: list[str]) -> list[Any]:
    """A list; one empty value clears it."""
    if texts == [""]:
        return []
    return [entry.parse(entry.wire_name, text) for text in texts]


class _Plan(NamedTuple):
    """How the forms of one class are read."""

    fields: tuple[_Field, ...]
    required: tuple[str, ...]
    wire_names: frozenset[str]
    names: tuple[str, ...]
    """Of all fields, said or not."""


_plans: dict[type, _Plan] = {}
"""Made once for each class of parameters: bounded by their number."""


def _plan(parameters: type[Parameters]) -> _Plan:
    plan = _plans.get(parameters)
    if plan is None:
        every = fields(parameters)
        said_ones = [each for each in every if each.metadata["form_field"] is not None]
        known = tuple(_Field(each.name, *each.metadata["form_field"]) for each in said_ones)
        plan = _plans[parameters] = _Plan(
            fields=known,
            required=tuple(entry.wire_name for entry in known if entry.required),
            wire_names=frozenset(entry.wire_name for entry in known),
            names=tuple(each.name for each in every),
        )
    return plan


def wire_names(parameters: type[Parameters]) -> list[tuple[str, bool, bool]]:
    """Wire name, required, repeated, of each parameter: what the documentation lists."""
    return [(entry.wire_name, entry.required, entry.repeated) for entry in _plan(parameters).fields]


def form_schema(parameters: type[Parameters]) -> Schema:
    """What may be said, as JSON Schema: an object whose properties are the wire names."""
    properties: Schema = {}
    for entry in _plan(parameters).fields:
        schema = schema_of(entry.parse)
        properties[entry.wire_name] = (
            {"type": "array", "items": schema} if entry.repeated else schema
        )
    whole: Schema = {"type": "object", "properties": properties}
    required = [entry.wire_name for entry in _plan(parameters).fields if entry.required]
    return whole | {"required": required} if required else whole


@dataclass(frozen=True, slots=True, kw_only=True)
class NoParameters(Parameters):
    """An operation that takes none."""
