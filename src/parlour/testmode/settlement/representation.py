"""The JSON of a settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.testmode.settlement.settler import Settlement


def resource(result: Settlement, _view: View) -> dict[str, Any]:
    """Return the result of a settlement."""
    return {
        "settled": result.settled,
        "elapsed_ms": result.elapsed_ms,
        "waiting_for": list(result.waiting_for),
    }
