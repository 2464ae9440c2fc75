"""The clock in snapshots of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.testmode.clock.steered_clock import ClockMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.store.sqlite.engine import SqliteStore
    from parlour.testmode.clock.clock_control import ClockControl
    from parlour.testmode.clock.steered_clock import SteeredClock

    SavedClock = tuple[ClockMode, int, int] | None


def clock_state_of(
    clock: SteeredClock, control: ClockControl, store: SqliteStore
) -> tuple[Callable[[str | None], SavedClock], Callable[[SavedClock], None]]:
    """Return the functions that save and restore the clock; an account has none.

    Numbers of creation continue as after the snapshot, so that they follow the clock. An advance in
    progress ends, because its target belongs to the state that is replaced.
    """

    def save(account_sid: str | None) -> SavedClock:
        if account_sid is not None:
            return None
        return clock.mode, clock.now_ms(), store.sequences.last

    def restore(saved: SavedClock) -> None:
        if saved is None:
            return
        control.end_advance()
        mode, now_ms, last_sequence = saved
        store.sequences.restart(last_sequence)
        if mode is ClockMode.FROZEN:
            clock.freeze(now_ms)
        elif mode is ClockMode.SHIFTED:
            clock.shift(now_ms)
        elif clock.mode is not ClockMode.SYSTEM:
            clock.system()

    return save, restore
