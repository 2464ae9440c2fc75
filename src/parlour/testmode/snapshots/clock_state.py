"""The clock in snapshots of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.testmode.clock.steered_clock import ClockMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.testmode.clock.steered_clock import SteeredClock

    SavedClock = tuple[ClockMode, int] | None


def clock_state_of(
    clock: SteeredClock,
) -> tuple[Callable[[str | None], SavedClock], Callable[[SavedClock], None]]:
    """Return the functions that save and restore the clock; an account has none."""

    def save(account_sid: str | None) -> SavedClock:
        return (clock.mode, clock.now_ms()) if account_sid is None else None

    def restore(saved: SavedClock) -> None:
        if saved is None:
            return
        mode, now_ms = saved
        if mode is ClockMode.FROZEN:
            clock.freeze(now_ms)
        elif mode is ClockMode.SHIFTED:
            clock.shift(now_ms)
        elif clock.mode is not ClockMode.SYSTEM:
            clock.system()

    return save, restore
