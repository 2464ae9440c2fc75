"""One advance of the clock: from due time to due time.

(1) Settle. (2) Find the earliest due time. (3) If it is after the target: set the clock to the
target, settle, end. (4) Set the clock to exactly that time, settle, continue with 2.

So all effects of a step have its date, and a chain unfolds in order: a timer fires, its webhook
fails, and the retry is a second later.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.testmode.settlement import due_rows
from parlour.testmode.settlement.due_rows import Due
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.testmode.clock.steered_clock import SteeredClock
    from parlour.testmode.settlement.settler import Settler
    from parlour.testmode.wiring import ServerHandles

CLIENT_EXPIRIES: Final = "tokens"
"""Ends of access tokens of connected clients, and the warnings before them."""
_STEPS: Final = "steps"
"""There are more due times before the target."""
_RESET: Final = "reset"
"""A reset or a restore has set the clock before the target; a second call does not continue."""
_GRACE_POLL_SECONDS: Final = 0.002


class Fired(NamedTuple):
    """What happened at one date: a number of things of a kind."""

    at_ms: int
    what: str
    number: int


class AdvanceResult(NamedTuple):
    """The result of an advance. ``settled`` is False if it stopped before its target."""

    now_ms: int
    settled: bool
    steps: int
    elapsed_ms: int
    waiting_for: tuple[str, ...] = ()
    fired: tuple[Fired, ...] = ()


async def due_times(parts: ServerHandles, clock: SteeredClock) -> list[Due]:
    """Return when each kind of work is due next."""

    async def read(tx: Transaction) -> list[Due]:
        jobs = [Due(due_ms, job.name) for due_ms, job in await parts.scheduler.due_times(tx)]
        return jobs + await due_rows.next_rows(tx)

    found = await parts.store.read(read)
    tokens = clock.timers.due_times()
    return [*found, Due(min(tokens), CLIENT_EXPIRIES)] if tokens else found


class Advance:
    """One advance."""

    def __init__(
        self,
        parts: ServerHandles,
        clock: SteeredClock,
        settler: Settler,
        target_ms: int,
        client_grace_ms: int,
    ) -> None:
        """``client_grace_ms``: how long a client that is warned has to send a new token."""
        self.target_ms = target_ms
        self._parts = parts
        self._clock = clock
        self._settler = settler
        self._client_grace_ms = client_grace_ms
        self._steps = 0
        self._fired: list[Fired] = []
        self._is_stopped = False

    def stop(self) -> None:
        """Do not set the clock any more."""
        self._is_stopped = True

    async def run(self, timeout_ms: int) -> AdvanceResult:
        """Advance to the target, or as far as it settles within a timeout in real time."""
        started_ms = self._clock.monotonic_ms()
        waiting_for = await self._run(started_ms + timeout_ms)
        return AdvanceResult(
            self._clock.now_ms(),
            not waiting_for,
            self._steps,
            round(self._clock.monotonic_ms() - started_ms),
            waiting_for,
            tuple(self._fired),
        )

    async def _run(self, until_ms: float) -> tuple[str, ...]:
        """Return what it waits for; empty at the target."""
        while True:
            waiting_for = await self._settle(until_ms)
            if waiting_for:
                return waiting_for
            if self._clock.now_ms() >= self.target_ms:
                return ()
            if self._is_stopped:
                return (_RESET,)
            is_late = self._clock.monotonic_ms() >= until_ms
            if is_late or self._steps >= limits.CLOCK_STEPS_MAX:
                return (_STEPS,)
            await self._step()

    async def _step(self) -> None:
        """Set the clock to the earliest due time, or to the target."""
        due = await due_times(self._parts, self._clock)
        at_ms = min([self.target_ms, *(each.at_ms for each in due)])
        at_ms = max(at_ms, self._clock.now_ms())
        for what in dict.fromkeys(each.what for each in sorted(due) if each.at_ms <= at_ms):
            self._fired.append(Fired(at_ms, what, await self._count(what, at_ms)))
        if self._is_stopped:  # Since the rows were read.
            return
        self._steps += 1
        warned_ms = self._clock.monotonic_ms()
        self._clock.advance_to(at_ms)
        await self._await_tokens(warned_ms)

    async def _count(self, what: str, at_ms: int) -> int:
        if what == CLIENT_EXPIRIES:
            return sum(due_ms <= at_ms for due_ms in self._clock.timers.due_times())
        return await self._parts.store.read(lambda tx: due_rows.count_due(tx, what, at_ms))

    async def _await_tokens(self, since_ms: float) -> None:
        """Wait until each client that was warned has renewed its token or left, within limits."""
        unrenewed = self._parts.realtime.connections.unrenewed
        while any(warned_ms >= since_ms for warned_ms in unrenewed.values()):
            if self._clock.monotonic_ms() - since_ms >= self._client_grace_ms:
                return
            await asyncio.sleep(_GRACE_POLL_SECONDS)

    async def _settle(self, until_ms: float) -> tuple[str, ...]:
        left_ms = max(0, round(until_ms - self._clock.monotonic_ms()))
        return (await self._settler.settle(left_ms)).waiting_for
