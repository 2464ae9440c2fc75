"""Schedules the start of requests: a bounded cost per turn of the event loop, in fair order.

A request runs until its first await that blocks, so requests started in one turn delay every other
callback. At most ``share`` requests start per turn; one with a long body counts as several. The
share follows their cost: it is cut, down to 1, after a turn that took too long, and doubles while
turns are short. Eager requests (eager.py) are timed as they run: after ``TURN_MS_MAX`` no further
request starts in this turn, nor in the next ``TURNS_AFTER_LONG`` turns, because a change takes
several turns and must not wait for a large page in each.

Further requests are queued: a queue per account, one for logins that are not cached, and one for
requests without a login. The order is round-robin over the queues, and within an account over its
chat users (its own callers are one of them). A queued request whose client disconnects does not
start.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from parlour.operations.round_robin import RoundRobin
from parlour.vocabulary import limits

if TYPE_CHECKING:
    import asyncio

    from parlour.http.connection import HttpConnection
    from parlour.http.messages import Request
    from parlour.vocabulary.clock import Clock


# States of a turn, stored in ``_started`` and ``_queue``:
#
# =========  =======================================  ==============================================
# state      event                                    next
# =========  =======================================  ==============================================
# idle       a request                                open: it starts
# open       a request, less than the share started   open: it starts
# open       a request, the share is used up          open: it is queued
# open       the turn ends, one started, none queued  idle
# open       the turn ends, it took too long          resting: requests are queued; then measured
# open       the turn ends otherwise                  measured: until the next turn
# measured   a request                                measured: starts within share, or queued
# measured   the next turn                            open: queued requests start; else idle
# =========  =======================================  ==============================================
#
# ``_end`` reads the clock before the tasks that were started in its turn run, ``_begin`` after
# them, in the next turn: so the measured CPU time is theirs. ``_rest`` skips turns before it reads
# the clock: after a rest the measurement is of another turn.
class RequestScheduler:
    """Starts requests within a time budget per turn, in fair order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._share = limits.STARTED_PER_TURN_MAX
        self._started = 0
        self._began = 0.0
        self._late_ms = 0.0
        # An account's own callers are its user "".
        self._queue: RoundRobin[tuple[HttpConnection, Request]] = RoundRobin()

    def start(
        self, connection: HttpConnection, request: Request, account_sid: str, identity: str = ""
    ) -> None:
        """Start a request now, or queue it."""
        if not self._started and not self._queue.size:
            # The first request opens a turn. Without load it starts at once, and is not measured.
            self._loop.call_soon(self._end)
            self._late_ms = self._clock.monotonic_ms() + limits.TURN_MS_MAX
        elif self._queue.size or self._started >= self._share or self._is_late():
            self._queue.push(account_sid, identity, (connection, request))
            return
        self._started += _weight(request)
        connection.run_request(request)

    def _is_late(self) -> bool:
        return self._clock.monotonic_ms() > self._late_ms

    def _end(self) -> None:
        """End a turn; the requests started in it run after this callback."""
        if self._started == 1 and not self._queue.size:
            self._started = 0
            return
        self._rest(limits.TURNS_AFTER_LONG if self._is_late() else 0)

    def _rest(self, turns: int) -> None:
        """Skip turns of the event loop before the next requests start."""
        if turns:
            self._loop.call_soon(self._rest, turns - 1)
        else:
            self._began = time.thread_time()
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        """Adapt the share to the CPU time of the last turn, and start the next one."""
        # CPU time: the load of other processes is not the requests' cost.
        seconds = time.thread_time() - self._began
        allowed = limits.TURN_MS_MAX / 1000
        # Decrease in proportion to the excess, increase by doubling below half of the budget.
        if seconds > allowed:
            self._share = max(1, int(self._share * allowed / seconds))
        elif seconds < allowed / 2:
            self._share = min(limits.STARTED_PER_TURN_MAX, 2 * self._share)
        self._started = 0
        if not self._queue.size:
            return
        self._loop.call_soon(self._end)
        self._late_ms = self._clock.monotonic_ms() + limits.TURN_MS_MAX
        while self._queue.size and self._started < self._share:
            self._started += self._start_next()
            if self._is_late():
                break
        if not self._started:  # The clients of all queued requests have disconnected.
            self._started = 1

    def _start_next(self) -> int:
        """Start the next request; return its weight, 0 if its client has disconnected."""
        connection, request = self._queue.pop()
        return _weight(request) if connection.run_request(request) else 0


def _weight(request: Request) -> int:
    """Return the weight of a request: 1, and more for a long body."""
    return 1 + len(request.body) // limits.BODY_BYTES_PER_START
