"""What tests do with the clock: read it, set it, and advance it.

| status    | event                          | next                                    |
|-----------|--------------------------------|-----------------------------------------|
| ready     | an advance                     | advancing                               |
| ready     | any other change               | ready                                   |
| advancing | its end, or its timeout        | ready                                   |
| advancing | a reset, or a restore, of all  | ready                                   |
| advancing | an advance, or another change  | advancing: the request gets 409         |

The clock may go backwards only while there is no data: dates and numbers of creation would be in
another order than the changes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from parlour.testmode.clock.advance import Advance, due_times
from parlour.testmode.clock.steered_clock import ClockMode
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.store.sqlite.exclusive import ExclusiveAccess
    from parlour.testmode.clock.advance import AdvanceResult
    from parlour.testmode.clock.steered_clock import SteeredClock
    from parlour.testmode.settlement.due_rows import Due
    from parlour.testmode.settlement.settler import Settler
    from parlour.testmode.wiring import ServerHandles

# tidy: account-in-sql - the clock is of all accounts
HAS_DATA = """
SELECT EXISTS (SELECT 1 FROM conversation) OR EXISTS (SELECT 1 FROM message)
    OR EXISTS (SELECT 1 FROM chat_user)
"""


class ClockState(NamedTuple):
    """The clock, as ``GET /Clock`` returns it."""

    mode: ClockMode
    now_ms: int
    system_now_ms: int
    is_advancing: bool
    target_ms: int | None
    due: list[Due]
    """When each kind of work is due next, the first one first."""

    @property
    def next_due(self) -> Due | None:
        """The first work that is due."""
        return self.due[0] if self.due else None


class AdvanceOrder(NamedTuple):
    """An advance as requested: until when, and how long it may take in real time."""

    target_ms: int
    timeout_ms: int = limits.SETTLE_SECONDS_DEFAULT * 1000
    client_grace_ms: int = limits.CLIENT_GRACE_MS_DEFAULT


class ClockControl:
    """The clock of one server in test mode."""

    def __init__(self, parts: ServerHandles, clock: SteeredClock, settler: Settler) -> None:
        """``parts`` follow the clock from now on."""
        self._parts = parts
        self._clock = clock
        self._settler = settler
        self._advance: Advance | None = None
        self._task: asyncio.Task[AdvanceResult] | None = None
        self.finish_removals: Callable[[], Awaitable[None]] = _nothing_to_finish
        """Waits for accounts whose data are being removed, before the clock may go back."""
        # Secrets that are cached first: due webhooks are signed with those that are read again.
        for evict in (parts.authentication, parts.access_tokens, parts.signer):
            clock.on_change(evict.evict_all)
        clock.on_change(parts.webhooks.clock_changed)
        clock.on_change(parts.channels.clock_changed)
        clock.on_change(parts.scheduler.wake)
        clock.on_change(settler.wake)

    async def state(self) -> ClockState:
        """Return the clock."""
        return ClockState(
            self._clock.mode,
            self._clock.now_ms(),
            self._clock.real.now_ms(),
            self._advance is not None,
            None if self._advance is None else self._advance.target_ms,
            sorted(await due_times(self._parts, self._clock)),
        )

    # --- Setting ------------------------------------------------------------------------------

    async def set_mode(self, mode: ClockMode, now_ms: int | None) -> None:
        """Freeze the clock, let it run on from a date, or show the real time.

        ``now_ms``: None for the present date. Raises ApiError 400 and 409.
        """
        if self._advance is not None:
            raise ApiError(20409, "The clock is advancing.")
        present_ms = self._clock.now_ms()
        if mode is self._clock.mode is ClockMode.SYSTEM:
            return
        if mode is ClockMode.SYSTEM:
            now_ms = self._clock.real.now_ms()
        elif now_ms is None:
            now_ms = present_ms
        await self._require_may_show(now_ms, present_ms)
        if mode is ClockMode.FROZEN:
            self._clock.freeze(now_ms)
        elif mode is ClockMode.SHIFTED:
            self._clock.shift(now_ms)
        else:
            self._clock.system()

    async def _require_may_show(self, at_ms: int, present_ms: int) -> None:
        """Check a new date; numbers of creation restart if it is earlier. Raises ApiError 400."""
        if not 0 <= at_ms <= limits.CLOCK_DATE_MS_MAX:
            raise ApiError(20001, "The clock shows dates from 1970 to 9990.")
        if at_ms >= present_ms:
            return
        await self.finish_removals()
        # After all changes that have a date of this clock already: one may be in commit.
        if await self._parts.store.exclusively(_has_data):
            raise ApiError(20001, "The clock cannot go back while there is data: reset first.")
        self._parts.store.sequences.restart()

    def end_advance(self) -> None:
        """End an advance in progress: it does not set the clock any more, and another may begin."""
        if self._advance is not None:
            self._advance.stop()
            self._advance = None

    def reset(self) -> None:
        """Show the real time, after all data were removed."""
        self.end_advance()
        self._clock.system()
        self._parts.store.sequences.restart()

    async def stop(self) -> None:
        """End an advance in progress: the server stops."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- Advancing ----------------------------------------------------------------------------

    async def advance(self, order: AdvanceOrder) -> AdvanceResult:
        """Advance from due time to due time; return what happened. Raises ApiError 400 and 409."""
        # A separate task: a client that disconnects does not stop it between two dates.
        return await asyncio.shield(self.start_advance(order))

    def start_advance(self, order: AdvanceOrder) -> asyncio.Task[AdvanceResult]:
        """Advance in the background. Raises ApiError 400 and 409."""
        if self._advance is not None:
            raise ApiError(20409, "The clock is advancing.")
        if order.target_ms < self._clock.now_ms():
            raise ApiError(20001, "The clock cannot go back: the date is past.")
        latest_ms = min(self._clock.base_ms + limits.CLOCK_ADVANCE_MS_MAX, limits.CLOCK_DATE_MS_MAX)
        if order.target_ms > latest_ms:
            raise ApiError(20001, "The clock advances 10 years at most, and not beyond 9990.")
        if not self._clock.is_frozen:
            self._clock.freeze()
        self._advance = Advance(
            self._parts,
            self._clock,
            self._settler,
            max(order.target_ms, self._clock.now_ms()),
            order.client_grace_ms,
        )
        self._task = asyncio.create_task(self._run(self._advance, order.timeout_ms))
        return self._task

    async def _run(self, advance: Advance, timeout_ms: int) -> AdvanceResult:
        try:
            return await advance.run(timeout_ms)
        finally:
            if self._advance is advance:
                self._advance = None


async def _nothing_to_finish() -> None:
    """Return at once."""


def _has_data(access: ExclusiveAccess) -> bool:
    return bool(access.run(HAS_DATA)[0][0])
