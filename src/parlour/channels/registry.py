"""The types of carriers: built-in ones, and entry points of the group `parlour.carriers`.

The module of a type is imported when a carriers file uses it, because the library of a type is an
extra of the package.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from parlour.channels.carrier import CarrierType

GROUP: Final = "parlour.carriers"
"""The group of entry points that third parties register their types under."""

VIRTUAL: Final = "virtual"
"""The built-in type that needs no network; without a carriers file it is the only carrier."""

EXTRAS: Final = {"smpp": "parlour[smpp]", "email": "parlour[email]"}
"""What to install for a built-in type that has an extra."""


class UnknownTypeError(Exception):
    """No package registered a type of this name; the text lists the known ones."""


class BrokenTypeError(Exception):
    """The type exists and cannot be used; the text is the reason and the remedy."""


class TypeSource(NamedTuple):
    """Where a type comes from: its module and attribute, and its package."""

    location: str
    package: str


def _built_in(folder: str) -> TypeSource:
    return TypeSource(f"parlour.channels.{folder}.carrier:CARRIER_TYPE", "parlour")


_BUILT_IN: Final = {
    "virtual": _built_in("virtual"),
    "smpp": _built_in("smpp"),
    "http-provider": _built_in("http_provider"),
    "kannel": _built_in("kannel"),
    "whatsapp": _built_in("whatsapp"),
    "email": _built_in("email"),
}


def type_sources() -> dict[str, TypeSource]:
    """Return all types by name; a third party cannot replace a built-in one."""
    found = {
        each.name: TypeSource(each.value, each.dist.name if each.dist else "an unknown package")
        for each in metadata.entry_points(group=GROUP)
    }
    return dict(sorted({**found, **_BUILT_IN}.items()))


def load_type(name: str) -> CarrierType:
    """Return the type with this name. Raises UnknownTypeError and BrokenTypeError."""
    # The search for entry points reads the metadata of all installed packages.
    sources = _BUILT_IN if name in _BUILT_IN else type_sources()
    if name not in sources:
        raise UnknownTypeError(f"unknown type {name!r}; the types are {', '.join(sources)}")
    location, package = sources[name]
    module, _, attribute = location.partition(":")
    try:
        loaded: CarrierType = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise BrokenTypeError(missing_import(name, error)) from error
    except Exception as error:  # A third party's module may raise anything.
        reason = f"{type(error).__name__}: {error}"
        raise BrokenTypeError(
            f"the type {name!r} of {package} cannot be loaded: {reason}"
        ) from error
    problem = _interface_problem(loaded)
    if problem:
        raise BrokenTypeError(f"the type {name!r} of {package} ({location}) {problem}")
    return loaded


def missing_import(name: str, error: ImportError) -> str:
    """Return the message for a module that a type needs and that is not installed."""
    if name in EXTRAS:
        return f"the type {name!r} needs {error.name}: pip install '{EXTRAS[name]}'"
    return f"the type {name!r} cannot be imported ({error}): install the package that it needs"


def _interface_problem(loaded: object) -> str:
    """Return what a type lacks of the protocol `CarrierType`; empty if nothing."""
    options = getattr(loaded, "options", None)
    if not (isinstance(options, type) and issubclass(options, msgspec.Struct)):
        return "has no options: a subclass of msgspec.Struct"
    channels = getattr(loaded, "channels", None)
    if not isinstance(channels, frozenset) or not channels:
        return "has no channels: a frozenset of names"
    return "" if callable(getattr(loaded, "make", None)) else "has no function make"
