"""Parameters: a request's form as a typed record.

A resource declares one class for each operation with parameters; each field declares its wire name
and its parser. An absent parameter is ``UNSET``. Unknown names are ignored.

The classes are frozen dataclasses whose methods are in their base. ``@dataclass`` itself compiles
the source text of each method of each class, which took a tenth of the start of a server.
"""

from __future__ import annotations

from dataclasses import Field, FrozenInstanceError, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, dataclass_transform

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
    secret: bool


def form_field(
    wire_name: str,
    parse: Callable[[str, str], Any],
    *,
    required: bool = False,
    repeated: bool = False,
    secret: bool = False,
) -> Any:
    """Declare a field of a ``Parameters`` class: its wire name and the parser of its text.

    ``repeated`` fields become lists; the last value of any other field that was repeated counts.
    ``secret`` values are not recorded in the journal of requests.
    """
    return field(
        default=UNSET,
        metadata={"form_field": (wire_name, parse, required, repeated, secret)},
    )


def internal_field() -> Any:
    """Declare a field of a ``Parameters`` class that no form sets, for internal callers."""
    return field(default=UNSET, metadata={"form_field": None})


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Parameters:
    """Base class of all parameters; each subclass is a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    empty_update_code: ClassVar[int | None] = None
    """The error code of an update without any known parameter; None if that is allowed."""

    def __init_subclass__(cls) -> None:
        """Declare the fields; their defaults are attributes of the class."""
        dataclass(init=False, repr=False, eq=False, match_args=False)(cls)

    def __init__(self, **values: Any) -> None:
        """Store the values of fields. Raises TypeError for other names."""
        if not values.keys() <= self.__dataclass_fields__.keys():
            unknown = sorted(values.keys() - self.__dataclass_fields__.keys())
            raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}")
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        """Raise FrozenInstanceError."""
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        """Raise FrozenInstanceError."""
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        """Return whether the other has the same class and values."""
        return type(other) is type(self) and all(
            getattr(self, name) == getattr(other, name) for name in self.__dataclass_fields__
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the class and the values."""
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    @classmethod
    def parse(cls, form: FormFields) -> Self:
        """Parse a form. Raises ApiError for a missing parameter, then in the order of fields."""
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
        """Return the part of a form that ``parse`` reads; of unused values the first letter."""
        counted: FormFields = {}
        for entry in _plan(cls).fields:
            texts = form.get(entry.wire_name)
            if texts is not None:
                is_all = entry.repeated or len(texts) == 1
                counted[entry.wire_name] = texts if is_all else [max(texts)[:1], texts[-1]]
        return counted

    def given(self) -> dict[str, Any]:
        """Return the values that were sent, by field name."""
        found = ((name, getattr(self, name)) for name in _plan(type(self)).names)
        return {name: value for name, value in found if value is not UNSET}


def _each(entry: _Field, texts: list[str]) -> list[Any]:
    """Parse a repeated parameter; a single empty value clears the list."""
    if texts == [""]:
        return []
    return [entry.parse(entry.wire_name, text) for text in texts]


class _Plan(NamedTuple):
    """The compiled declaration of one class."""

    fields: tuple[_Field, ...]
    required: tuple[str, ...]
    wire_names: frozenset[str]
    names: tuple[str, ...]
    """Of all fields, internal ones included."""


_plans: dict[type, _Plan] = {}
"""Compiled once for each class of parameters: bounded by their number."""


def _plan(parameters: type[Parameters]) -> _Plan:
    plan = _plans.get(parameters)
    if plan is None:
        every = fields(parameters)
        from_form = [each for each in every if each.metadata["form_field"] is not None]
        known = tuple(_Field(each.name, *each.metadata["form_field"]) for each in from_form)
        plan = _plans[parameters] = _Plan(
            fields=known,
            required=tuple(entry.wire_name for entry in known if entry.required),
            wire_names=frozenset(entry.wire_name for entry in known),
            names=tuple(each.name for each in every),
        )
    return plan


def wire_names(parameters: type[Parameters]) -> list[tuple[str, bool, bool]]:
    """Return wire name, required and repeated of each parameter, for the documentation."""
    return [(entry.wire_name, entry.required, entry.repeated) for entry in _plan(parameters).fields]


def secret_names(parameters: type[Parameters]) -> frozenset[str]:
    """Return the wire names of the parameters that have secrets."""
    return frozenset(entry.wire_name for entry in _plan(parameters).fields if entry.secret)


def form_schema(parameters: type[Parameters]) -> Schema:
    """Return the JSON Schema of a form: an object whose properties are the wire names."""
    properties: Schema = {}
    for entry in _plan(parameters).fields:
        schema = schema_of(entry.parse)
        properties[entry.wire_name] = (
            {"type": "array", "items": schema} if entry.repeated else schema
        )
    whole: Schema = {"type": "object", "properties": properties}
    required = [entry.wire_name for entry in _plan(parameters).fields if entry.required]
    return whole | {"required": required} if required else whole


class NoParameters(Parameters):
    """The parameters of an operation without any."""


def field_parsers(
    parameters: type[Parameters],
) -> dict[str, tuple[Callable[[str, str], Any], bool]]:
    """Return the parser of each parameter by its wire name, and whether it is repeated."""
    return {entry.wire_name: (entry.parse, entry.repeated) for entry in _plan(parameters).fields}
