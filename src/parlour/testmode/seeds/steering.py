"""What seeds change outside of the store: the clock, the randomness, and the emulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.testmode.clock.steered_clock import ClockMode

if TYPE_CHECKING:
    from parlour.testmode.clock.clock_control import ClockControl
    from parlour.testmode.clock.steered_clock import SteeredClock
    from parlour.testmode.emulation.emulations import Emulations
    from parlour.testmode.seeded_random import SeededRandom


class ServerSteering:
    """The clock and the randomness of one server."""

    def __init__(self, clock: SteeredClock, control: ClockControl, random: SeededRandom) -> None:
        self._clock = clock
        self._control = control
        self._random = random

    def now_ms(self) -> int:
        """Return the time of the server's clock."""
        return self._clock.now_ms()

    async def freeze_clock(self, at_ms: int) -> None:
        """Stop the clock at a date. Raises ApiError if it may not show that date."""
        await self._control.set_mode(ClockMode.FROZEN, at_ms)

    def restart_random(self, seed: int) -> None:
        """Begin the sequences of random SIDs again."""
        self._random.restart(seed)


class SeedEmulation:
    """The emulation of accounts, as seeds name it."""

    def __init__(self, emulations: Emulations) -> None:
        self._emulations = emulations

    def change(self, account_sid: str, changes: dict[str, Any]) -> None:
        """Change the emulation of an account."""
        self._emulations.change(account_sid, changes)

    def differences(self, account_sid: str) -> dict[str, Any]:
        """Return what differs from the emulation of other accounts."""
        usual = msgspec.structs.asdict(self._emulations.default)
        own = msgspec.structs.asdict(self._emulations.of(account_sid))
        return {name: each for name, each in own.items() if each not in {usual[name], None}}
