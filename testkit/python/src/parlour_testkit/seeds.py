"""Seeds: documents with the data that a test begins with."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parlour_testkit.errors import TestKitError

if TYPE_CHECKING:
    from os import PathLike

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TYPES = {".json": "application/json", ".yaml": "application/yaml", ".yml": "application/yaml"}


class Sids(Mapping[str, str]):
    """The SIDs that a seed created, by their place: ``sids["conversations.order"]``."""

    def __init__(self, sids: Mapping[str, str]) -> None:
        self._sids = dict(sids)

    def __getitem__(self, place: str) -> str:
        """Return a SID. Raises KeyError, which names similar places."""
        try:
            return self._sids[place]
        except KeyError:
            near = get_close_matches(place, self._sids, n=3) or sorted(self._sids)[:20]
            raise KeyError(f"{place}: the seed created {', '.join(near)}") from None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the places."""
        return iter(self._sids)

    def __len__(self) -> int:
        """Return how many objects the seed created."""
        return len(self._sids)

    def __repr__(self) -> str:
        """Return all SIDs."""
        return f"Sids({self._sids!r})"


def read_seed(
    seed: str | PathLike[str] | Mapping[str, Any], variables: Mapping[str, object]
) -> tuple[bytes, str]:
    """Return the document of a seed and its content type, with ``${NAME}`` replaced.

    A name is looked up in ``variables``, then in the environment. Raises TestKitError for a missing
    one and for a file that is neither JSON nor YAML, OSError for a file that cannot be read.
    """
    if isinstance(seed, Mapping):
        replaced = _replaced_in(seed, variables)
        return json.dumps(replaced).encode(), _TYPES[".json"]
    path = Path(seed)
    if path.suffix.lower() not in _TYPES:
        raise TestKitError(f"{path}: a seed is a .json, .yaml or .yml file.")
    text = _replaced(path.read_text(encoding="utf-8"), variables, str(path))
    return text.encode(), _TYPES[path.suffix.lower()]


def _replaced_in(value: Any, variables: Mapping[str, object]) -> Any:
    match value:
        case str():
            return _replaced(value, variables, "the seed")
        case Mapping():
            return {name: _replaced_in(each, variables) for name, each in value.items()}
        case list() | tuple():
            return [_replaced_in(each, variables) for each in value]
        case _:
            return value


def _replaced(text: str, variables: Mapping[str, object], source: str) -> str:
    def look_up(match: re.Match[str]) -> str:
        name = match[1]
        if name in variables:
            return str(variables[name])
        if name in os.environ:
            return os.environ[name]
        raise TestKitError(
            f"{source}: ${{{name}}} has no value: pass seed(..., {name}=...), or set the variable."
        )

    return _VARIABLE.sub(look_up, text)
