"""The response to a callback has no record: its carrier writes the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View


def represent_callback(found: object, view: View) -> dict[str, Any]:
    """Return an empty record."""
    del found, view
    return {}
