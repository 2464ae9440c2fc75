"""The JSON of a description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View


def resource(description: dict[str, Any], _view: View) -> dict[str, Any]:
    """Return the description as it is."""
    return description
