"""UNSET: the value of a parameter that the request does not have."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        """Return the name alone."""
        return "UNSET"


UNSET: Final = Unset.UNSET
"""The value of a parameter that was not sent; None is a distinct value."""
