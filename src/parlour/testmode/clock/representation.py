"""The JSON of the clock, and of its advances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.testmode.clock.advance import AdvanceResult
    from parlour.testmode.clock.clock_control import ClockState
    from parlour.testmode.settlement.due_rows import Due


def resource(state: ClockState, _view: View) -> dict[str, Any]:
    """Return the clock."""
    due = state.next_due
    return {
        "mode": str(state.mode),
        "now": format_date_ms(state.now_ms),
        "system_now": format_date_ms(state.system_now_ms),
        "offset_ms": state.now_ms - state.system_now_ms,
        "status": "advancing" if state.is_advancing else "ready",
        "target": None if state.target_ms is None else format_date_ms(state.target_ms),
        "next_due": None if due is None else _due(due),
        "due": [_due(each) for each in state.due],
    }


def _due(due: Due) -> dict[str, str]:
    return {"at": format_date_ms(due.at_ms), "what": due.what}


def advanced(result: AdvanceResult, _view: View) -> dict[str, Any]:
    """Return the result of an advance."""
    return {
        "now": format_date_ms(result.now_ms),
        "settled": result.settled,
        "steps": result.steps,
        "elapsed_ms": result.elapsed_ms,
        "waiting_for": list(result.waiting_for),
        "fired": [
            {"at": format_date_ms(each.at_ms), "what": each.what, "count": each.number}
            for each in result.fired
        ],
    }
