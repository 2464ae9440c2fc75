"""The carriers file: carriers, routes from senders to them, and the numbers of this server.

It is TOML, read once at the start of a node. An error in it names the file and the line, and the
server does not start. Secrets need not be in it: each value of a carrier may be a reference,
``{ env = "NAME" }`` or ``{ file = "PATH" }`` (relative to the file).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.channels import registry
from parlour.channels.file_faults import CarriersFileError, FileFaults
from parlour.channels.numbers_section import read_numbers
from parlour.channels.routes_section import read_routes
from parlour.channels.toml_lines import TomlDocument, TomlError
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from parlour.channels.carrier import Carrier, CarrierContext, CarrierType
    from parlour.channels.toml_lines import KeyPath
    from parlour.resources.carrier_numbers.store import CarrierNumber, CarrierRoute

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
_SECTIONS: Final = ("carriers", "routes", "numbers")


@dataclass(frozen=True, slots=True)
class ConfiguredCarrier:
    """One carrier of the file: its type, and its options with all references resolved."""

    name: str
    type_name: str
    carrier_type: CarrierType
    options: msgspec.Struct
    where: str
    """File and line, for messages; empty without a file."""

    def make(self, context: CarrierContext) -> Carrier:
        """Return the carrier. Raises CarriersFileError for options that do not fit together."""
        try:
            return self.carrier_type.make(self.name, self.options, context)
        except ValueError as error:
            text = str(error)
        except ImportError as error:
            text = registry.missing_import(self.type_name, error)
        raise CarriersFileError([f"{self.where}: carriers.{self.name}: {text.rstrip('.')}."])


@dataclass(frozen=True, slots=True)
class CarrierSettings:
    """The content of a carriers file. Without a file: the carrier ``virtual``, and no checksum."""

    carriers: dict[str, ConfiguredCarrier]
    routes: tuple[CarrierRoute, ...] = ()
    numbers: tuple[CarrierNumber, ...] = ()
    checksum: str = ""
    """Of routes and numbers, which are copied to the database."""

    def find_carrier(self, channel: str, sender: str) -> str | None:
        """Return the carrier of a sender, as `find_carrier` of the database does."""
        if not self.checksum:
            return registry.VIRTUAL
        covering = [each for each in self.routes if each.covers(channel, sender)]
        return max(covering, key=lambda route: route.precision).carrier if covering else None


def without_file() -> CarrierSettings:
    """Return the settings without a carriers file: every sender belongs to ``virtual``."""
    return CarrierSettings({registry.VIRTUAL: _virtual()})


def _virtual() -> ConfiguredCarrier:
    carrier_type = registry.load_type(registry.VIRTUAL)
    return ConfiguredCarrier(
        registry.VIRTUAL, registry.VIRTUAL, carrier_type, carrier_type.options(), ""
    )


def read_carriers_file(path: Path, environment: Mapping[str, str]) -> CarrierSettings:
    """Return the content of a carriers file, checked. Raises CarriersFileError."""
    text = _text_of(path)
    try:
        document = TomlDocument(text)
    except TomlError as error:
        raise CarriersFileError([f"{path}:{error.line}: {error.reason}."]) from None
    faults = FileFaults(str(path), document)
    for key in document.values:
        if key not in _SECTIONS:
            faults.add((key,), f"unknown section {key!r}; allowed are [carriers.NAME], [[routes]] "
                       "and [[numbers]]")  # fmt: skip
    secrets = _References(path.parent, environment, faults)
    carriers = _read_carriers(document.values.get("carriers", {}), secrets, faults)
    channels = {
        name: None if each is None else each.carrier_type.channels
        for name, each in carriers.items()
    }
    routes = read_routes(document.values.get("routes", []), channels, faults)
    numbers = read_numbers(document.values.get("numbers", []), faults)
    faults.check()
    made = {name: each for name, each in carriers.items() if each is not None}
    made.setdefault(registry.VIRTUAL, _virtual())
    content = msgspec.json.encode((routes, numbers))
    return CarrierSettings(made, routes, numbers, hashlib.sha256(content).hexdigest())


def _text_of(path: Path) -> str:
    """Return the text of the file. Raises CarriersFileError."""
    try:
        content = _read_bounded(path, limits.CARRIERS_FILE_BYTES_MAX)
        return content.decode()
    except OSError as error:
        raise CarriersFileError([f"{path}: {error.strerror or error}."]) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CarriersFileError([f"{path}:{line}: the text is not UTF-8."]) from error
    except ValueError as error:
        raise CarriersFileError([f"{path}: {error}."]) from error


def _read_bounded(path: Path, bytes_max: int) -> bytes:
    """Return the content of a file. Raises OSError, and ValueError above the limit."""
    with path.open("rb") as file:
        content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise ValueError(f"the file is larger than {bytes_max} bytes")
    return content


class _References:
    """Replaces references to variables and files by their values."""

    def __init__(self, folder: Path, environment: Mapping[str, str], faults: FileFaults) -> None:
        self._folder = folder
        self._environment = environment
        self._faults = faults

    def resolved(self, value: Any, place: KeyPath) -> Any:
        """Return a value in which each reference is replaced; a failed one is recorded."""
        if isinstance(value, list):
            return [self.resolved(each, (*place, at)) for at, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(kind, name)] = value.items()
            if kind in {"env", "file"} and isinstance(name, str):
                return self._variable(name, place) if kind == "env" else self._file(name, place)
        return {key: self.resolved(each, (*place, key)) for key, each in value.items()}

    def _variable(self, name: str, place: KeyPath) -> str:
        text = self._environment.get(name, "")
        if not text:
            self._faults.add(place, f"{place[-1]}: the environment variable {name} is not set")
        return text

    def _file(self, name: str, place: KeyPath) -> str:
        path = self._folder / name
        try:
            content = _read_bounded(path, limits.CARRIER_SECRET_BYTES_MAX)
            # Editors and `echo` end a file with a line break, which is not part of a secret.
            return content.decode().removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._faults.add(place, f"{place[-1]}: the file {path} cannot be read: {reason}")
            return ""


def _read_carriers(
    tables: Any, references: _References, faults: FileFaults
) -> dict[str, ConfiguredCarrier | None]:
    """Return the carriers by name; None for a carrier with an error, which routes may name."""
    if not isinstance(tables, dict):
        faults.add(("carriers",), "carriers are tables: write [carriers.NAME]")
        return {}
    if len(tables) > limits.CARRIERS_MAX:
        faults.add(("carriers",), f"there are more than {limits.CARRIERS_MAX} carriers")
        return {}
    return {name: _read_carrier(name, table, references, faults) for name, table in tables.items()}


def _read_carrier(
    name: str, table: Any, references: _References, faults: FileFaults
) -> ConfiguredCarrier | None:
    place = ("carriers", name)
    if not isinstance(table, dict):
        faults.add(place, f"a carrier is a table: write [carriers.{name}]")
        return None
    if not _NAME.match(name):
        faults.add(place, f"the name {name!r} is not 1 to 63 of a-z, 0-9, - and _")
    type_name = table.get("type")
    if not isinstance(type_name, str):
        known = ", ".join(registry.type_sources())
        faults.add((*place, "type"), f"carriers.{name}: type is required, one of {known}")
        return None
    if name == registry.VIRTUAL and type_name != registry.VIRTUAL:
        faults.add(
            place, "the name virtual belongs to the carrier of virtual phones: choose another"
        )
    try:
        carrier_type = registry.load_type(type_name)
    except (registry.UnknownTypeError, registry.BrokenTypeError) as error:
        faults.add((*place, "type"), str(error))
        return None
    given = {key: value for key, value in table.items() if key != "type"}
    resolved = references.resolved(given, place)
    options = faults.convert(resolved, carrier_type.options, place)
    if options is None:
        return None
    return ConfiguredCarrier(name, type_name, carrier_type, options, faults.where(place))
