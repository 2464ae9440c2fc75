"""Actions on the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import AcceptedResult
from parlour.testmode.clock.advance import AdvanceResult
from parlour.testmode.clock.clock_control import AdvanceOrder
from parlour.testmode.clock.steered_clock import ClockMode
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.testmode.clock.clock_control import ClockState
    from parlour.testmode.clock.parameters import CreateClockAdvance, UpdateClock
    from parlour.testmode.wiring import TestMode

_ACCEPTED = 202


async def fetch_clock(parts: TestMode, _call: Call[NoParameters]) -> ClockState:
    """Return the clock."""
    return await parts.clock_control.state()


async def update_clock(parts: TestMode, call: Call[UpdateClock]) -> ClockState:
    """Freeze or shift the clock, or show the real time."""
    given = call.parameters.given()
    await parts.clock_control.set_mode(ClockMode(given["mode"]), given.get("now_ms"))
    return await parts.clock_control.state()


async def create_clock_advance(
    parts: TestMode, call: Call[CreateClockAdvance]
) -> AdvanceResult | AcceptedResult:
    """Advance the clock; 202 if it did not settle in time, or if the request does not wait."""
    given = call.parameters.given()
    if ("by_ms" in given) == ("to_ms" in given):
        raise ApiError(20001, "Either By or To is required, and not both.")
    target_ms = given.get("to_ms", parts.clock.now_ms() + given.get("by_ms", 0))
    order = AdvanceOrder(
        target_ms,
        given.get("timeout_seconds", limits.SETTLE_SECONDS_DEFAULT) * 1000,
        given.get("client_grace_ms", limits.CLIENT_GRACE_MS_DEFAULT),
    )
    if not given.get("waits", True):
        parts.clock_control.start_advance(order)
        result = AdvanceResult(parts.clock.now_ms(), settled=False, steps=0, elapsed_ms=0)
        return AcceptedResult(_ACCEPTED, result)
    result = await parts.clock_control.advance(order)
    return result if result.settled else AcceptedResult(_ACCEPTED, result)
