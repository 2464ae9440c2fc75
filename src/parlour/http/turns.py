"""Which request begins in which turn of the event loop: few in one, round-robin by account.

A request runs until it waits for something, so what many begin in one turn stands between everybody
else and the loop. At most ``share`` requests begin in one turn. The share follows what they cost:
it is cut when a turn took too long, down to one, and grows back while turns are short. Requests
beyond it wait in queues: one for each account, one for logins that are not known yet, and one for
requests without a login. They begin round-robin by queue, inside an account by chat user (its own
callers are one of them). A request whose client has gone meanwhile never begins.

=========  =======================================  ==============================================
state      event                                    next
=========  =======================================  ==============================================
idle       a request                                open: it begins
open       a request, less than the share began     open: it begins
open       a request, the share is used up          open: it waits
open       the turn ends, one began, none waits     idle
open       the turn ends otherwise                  measured: until the next turn
measured   a request                                measured: it begins within the share, or waits
measured   the next turn                            open: requests that wait begin; else idle
=========  =======================================  ==============================================
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    import asyncio

    from parlour.http.connection import Connection
    from parlour.http.messages import Request

    _Users = dict[str, dict[Connection, Request]]
    """The waiting requests of each user, in their order; an account's own callers are user ""."""


class Turns:
    """Lets requests begin."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._share = limits.STARTED_PER_TURN_MAX
        self._started = 0
        self._began = 0.0
        self._queues: dict[str, _Users] = {}

    def start(
        self, connection: Connection, request: Request, account_sid: str, identity: str = ""
    ) -> None:
        """Let a request begin now, or when it is its turn."""
        if self._started < self._share and not self._queues:
            if not self._started:
                self._loop.call_soon(self._end)
            self._started += 1
            connection.launch(request)
        else:
            users = self._queues.setdefault(account_sid, {})
            users.setdefault(identity, {})[connection] = request

    def _end(self) -> None:
        """End a turn; what began in it runs after this."""
        if self._started == 1 and not self._queues:
            self._started = 0
            return
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
        if not self._queues:
            return
        self._loop.call_soon(self._end)
        while self._queues and self._started < self._share:
            self._started += self._launch_next()
        if not self._started:  # The clients of all that waited have gone.
            self._started = 1

    def _launch_next(self) -> bool:
        """Let the next request begin; False if its client has gone."""
        account_sid = next(iter(self._queues))
        users = self._queues.pop(account_sid)
        identity = next(iter(users))
        waiting = users.pop(identity)
        connection = next(iter(waiting))
        request = waiting.pop(connection)
        # Both go to the end of their queues.
        if waiting:
            users[identity] = waiting
        if users:
            self._queues[account_sid] = users
        return connection.launch(request)
