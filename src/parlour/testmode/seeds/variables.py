"""Variables of a seed file: ``${NAME}`` is replaced by whichever program reads the file.

A server never replaces variables of a document that it receives: its environment is no part of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class MissingVariables(Exception):  # noqa: N818 - named after the condition.
    """The environment lacks variables of a seed file."""

    def __init__(self, names: list[str]) -> None:
        plural = "s" if len(names) > 1 else ""
        super().__init__(f"variable{plural} not set: {', '.join(names)}")
        self.names = names


def replace_variables(text: str, environment: Mapping[str, str]) -> str:
    """Return the text with each ``${NAME}`` replaced by its value, which is not searched again.

    Raises `MissingVariables` with all names that the environment does not have.
    """
    names = dict.fromkeys(found[1] for found in _VARIABLE.finditer(text))
    missing = [name for name in names if name not in environment]
    if missing:
        raise MissingVariables(missing)
    return _VARIABLE.sub(lambda found: environment[found[1]], text)
