"""UNSET: the value of a parameter that the request does not have."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        """Return the name alone."""
        return "UNSET"


UNSET: Final = Unset.UNSET
"""The value of a parameter that was not sent; None is a distinct value."""


def given_or(value: Any, default: Any) -> Any:
    """Return a parameter, or the default if it is unset."""
    return default if value is UNSET else value
