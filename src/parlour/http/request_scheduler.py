"""Which request begins in which turn of the event loop: few in one, round-robin by account.

A request runs until it waits for something, so what many begin in one turn stands between everybody
else and the loop. At most ``share`` requests begin in one turn; one with a long body counts as
several. The share follows what they cost: it is cut when a turn took too long, down to one, and
grows back while turns are short. Those that run at once (starting.py) are timed as they go: after
``TURN_MS_MAX`` no other begins in this turn, nor in ``TURNS_AFTER_LONG`` turns of the loop after
it: a change takes some turns, and must not wait for a large page in each. Requests beyond either
wait in queues: one for each account, one for logins that are not known yet, and one for requests
without a login. They begin round-robin by queue, inside an account by chat user (its own callers
are one of them). A request whose client has gone meanwhile never begins.

=========  =======================================  ==============================================
state      event                                    next
=========  =======================================  ==============================================
idle       a request                                open: it begins
open       a request, less than the share began     open: it begins
open       a request, the share is used up          open: it waits
open       the turn ends, one began, none waits     idle
open       the turn ends, it took too long          resting: requests wait; then measured
open       the turn ends otherwise                  measured: until the next turn
measured   a request                                measured: it begins within the share, or waits
measured   the next turn                            open: requests that wait begin; else idle
=========  =======================================  ==============================================
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


class RequestScheduler:
    """Lets requests begin."""

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
        """Let a request begin now, or when it is its turn."""
        if not self._started and not self._queue.size:
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
        """End a turn; what began in it runs after this."""
        if self._started == 1 and not self._queue.size:
            self._started = 0
            return
        self._rest(limits.TURNS_AFTER_LONG if self._is_late() else 0)

    def _rest(self, turns: int) -> None:
        """Leave so many turns of the loop to others before the next requests begin."""
        if turns:
            self._loop.call_soon(self._rest, turns - 1)
        else:
            self._began = time.thread_time()
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        """Begin the next turn."""
        # Of the processor: what other processes take says nothing of the requests.
        seconds = time.thread_time() - self._began
        allowed = limits.TURN_MS_MAX / 1000
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
        if not self._started:  # The clients of all that waited have gone.
            self._started = 1

    def _start_next(self) -> int:
        """Let the next request begin; return its weight, 0 if its client has gone."""
        connection, request = self._queue.pop()
        return _weight(request) if connection.run_request(request) else 0


def _weight(request: Request) -> int:
    """As how many requests one counts: a body is work as well."""
    return 1 + len(request.body) // limits.BODY_BYTES_PER_START
