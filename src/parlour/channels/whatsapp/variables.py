"""Variables of content templates: ``{{1}}`` or ``{{name}}`` in a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACEHOLDER: Final = re.compile(r"\{\{([^{}]{1,16})\}\}")


def fill(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with the values of its variables; one without a value is preserved."""
    return _PLACEHOLDER.sub(lambda found: variables.get(found[1].strip(), found[0]), text)


def first_placeholder(text: str) -> int | None:
    """Return where the first placeholder begins; None without any."""
    found = _PLACEHOLDER.search(text)
    return None if found is None else found.start()


def names_in(text: str) -> list[str]:
    """Return the names of the placeholders, each once: numbers by value, else as they come."""
    names = list(dict.fromkeys(name.strip() for name in _PLACEHOLDER.findall(text)))
    if all(name.isascii() and name.isdigit() for name in names):
        names.sort(key=int)
    return names
