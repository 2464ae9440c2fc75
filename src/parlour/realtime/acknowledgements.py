"""Acknowledgements of notifications: which the client has received, and which it has handled.

A client acknowledges each notification when it receives it, in order, so a counter is enough. The
official SDKs handle it later: they acknowledge it first, and then pass it on with
``setTimeout(…, 0)``, so one turn of the event loop later, while a reply is handled at once. So a
reply that follows a notification too closely overtakes it, however far apart both were sent: the
network, or a busy client, may deliver them together.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.vocabulary.clock import Clock


# ``wait_handled`` waits until a reply cannot overtake a notification. States of a client with
# unhandled notifications:
#
# ============  ========================================  ========================  ================
# state         waits for                                 timeout                   next
# ============  ========================================  ========================  ================
# receiving     the acknowledgement of a ping sent        HANDLED_RECEIVED_MS_MAX   turn; at the
#               behind them: their timers are set, as                               timeout
#               each frame is processed whole                                       unresponsive
# turn          HANDLED_TURN_MS: their timers are due     HANDLED_TURN_MS           probe
# probe         the acknowledgement of a second ping:     HANDLED_PROBE_MS_MAX      handled
#               due timers fire before the next frame
#               is read
# unresponsive  nothing, until every frame is             -                         receiving
#               acknowledged
# ============  ========================================  ========================  ================
#
# ``stop_waiting`` ends a wait at once: while no input is read from the client, its acknowledgements
# are not read either. In ``receiving`` the client becomes unresponsive; in ``probe`` the
# notifications count as handled.
class Acknowledgements:
    """Count the notifications of one connection, and its acknowledgements."""

    __slots__ = (
        "_acknowledged",
        "_awaited",
        "_clock",
        "_handled",
        "_is_unresponsive",
        "_lock",
        "_probe",
        "_quiet_since_ms",
        "_waiter",
        "sent",
    )

    def __init__(self, clock: Clock, probe: Callable[[], None]) -> None:
        """``probe`` sends a ping; it is counted by ``sent`` as notifications are."""
        self._clock = clock
        self._probe = probe
        self.sent = 0
        """Frames sent so far that the client acknowledges."""
        self._acknowledged = self._handled = 0
        self._quiet_since_ms = clock.monotonic_ms()
        self._is_unresponsive = False
        # Created by the first wait: most connections never wait.
        self._lock: asyncio.Lock | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._awaited = 0

    def receive(self, now_ms: float) -> None:
        """Count one acknowledgement."""
        # Surplus acknowledgements are ignored, so that a client cannot acknowledge in advance.
        if self._acknowledged < self.sent:
            self._acknowledged += 1
            if self._acknowledged == self.sent:
                self._quiet_since_ms = now_ms
                self._is_unresponsive = False
        if self._waiter is not None and self._acknowledged >= self._awaited:
            self._resolve(received=True)

    def stop_waiting(self) -> None:
        """End the current wait: no input is read from the client for now."""
        self._resolve(received=False)

    async def wait_handled(self, number: int) -> None:
        """Wait until the client has handled its first ``number`` frames, or for a timeout."""
        if self._are_handled(number):
            return
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            # The wait of another task may have covered these frames.
            if not self._are_handled(number):
                await self._await_handled(self.sent)

    def _are_handled(self, number: int) -> bool:
        # All were acknowledged so long ago that a probe would have timed out by now.
        if self._handled < number <= self._acknowledged == self.sent:
            quiet_ms = self._clock.monotonic_ms() - self._quiet_since_ms
            if quiet_ms >= limits.HANDLED_PROBE_MS_MAX:
                self._handled = self.sent
        return self._handled >= number or self._is_unresponsive

    async def _await_handled(self, number: int) -> None:
        """Run the states of the table for every frame sent so far."""
        self._probe()
        if not await self._wait_acknowledged(self.sent, limits.HANDLED_RECEIVED_MS_MAX):
            self._is_unresponsive = True
            return
        await asyncio.sleep(limits.HANDLED_TURN_MS / 1000)
        self._probe()
        await self._wait_acknowledged(self.sent, limits.HANDLED_PROBE_MS_MAX)
        self._handled = number

    async def _wait_acknowledged(self, number: int, ms_max: int) -> bool:
        """Return whether the client acknowledges its first ``number`` frames in time."""
        if self._acknowledged >= number:
            return True
        self._awaited = number
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ms_max / 1000):
                return await self._waiter
        except TimeoutError:
            return False
        finally:
            self._waiter = None

    def _resolve(self, *, received: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(received)
