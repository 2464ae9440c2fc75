"""Scheduling of socket input in each turn of the event loop, and the rate limit of users.

A socket processes a bounded part of its input per turn (``websocket.py``), but there are thousands
of sockets, and one user may have many. ``InputScheduler`` bounds the input of all sockets in one
turn, in bytes and in frames. Further sockets are queued, and paused when more input arrives. The
queue is served round-robin by account and user (``operations/round_robin.py``).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final, Protocol

from parlour.operations.round_robin import RoundRobin
from parlour.realtime.inbound import TokenBucket
from parlour.vocabulary import limits


class InputSource(Protocol):
    """A socket, as the scheduler uses it."""

    owner: tuple[str, str]
    """Account and user; "" and the peer's address while it is unauthenticated."""
    is_queued: bool
    """Whether it is queued; set by the scheduler."""

    def process_input(self) -> tuple[int, int]:
        """Process a part of the input; return its cost in frames and in bytes."""
        ...


# =======  =======================================  ================================================
# state    event                                    next
# =======  =======================================  ================================================
# idle     a socket has input                       open: it processes a part
# open     a socket has input, the queue is empty,  open: it processes a part
#          and the turn has budget left
# open     a socket has input otherwise, or more    open: it is queued
#          than its part
# open     the next turn of the loop                open: queued sockets process a part each until
#                                                   the budget is used up; idle if none was queued
# =======  =======================================  ================================================
class InputScheduler:
    """Schedule the input of all sockets of one process."""

    __slots__ = ("_bytes_left", "_frames_left", "_is_open", "_queue")

    def __init__(self) -> None:
        self._queue: RoundRobin[InputSource] = RoundRobin()
        self._is_open = False
        self._frames_left = self._bytes_left = 0

    def submit(self, socket: InputSource) -> None:
        """Let a socket process a part of its input now, or queue it."""
        if not self._is_open:
            self._open()
        if self._queue.size or self._is_exhausted():
            self.enqueue(socket)
        else:
            self._run(socket)

    def enqueue(self, socket: InputSource) -> None:
        """Queue a socket, behind those that are queued."""
        if socket.is_queued:
            return
        socket.is_queued = True
        self._queue.push(*socket.owner, socket)
        if not self._is_open:
            self._open()

    def _open(self) -> None:
        self._is_open = True
        self._frames_left = limits.SOCKETS_TURN_FRAMES
        self._bytes_left = limits.SOCKETS_TURN_BYTES
        asyncio.get_running_loop().call_soon(self._run_turn)

    def _is_exhausted(self) -> bool:
        return self._frames_left <= 0 or self._bytes_left <= 0

    def _run(self, socket: InputSource) -> None:
        frames, size = socket.process_input()
        self._frames_left -= frames
        self._bytes_left -= size

    def _run_turn(self) -> None:
        """Start a turn with the queued sockets, each once."""
        self._is_open = False
        # Counted first: a socket that queues again during the turn waits for the next one.
        left = self._queue.size
        if left:
            self._open()
        while left and not self._is_exhausted():
            left -= 1
            socket = self._queue.pop()
            socket.is_queued = False
            self._run(socket)


_FULL_SECONDS: Final = limits.USER_BURST_BYTES / limits.USER_BYTES_PER_SECOND


# The bucket outlives the user's sockets until it is full again, so that a reconnect does not refill
# it. ``InputLimits`` evicts it then.
class UserByteBucket:
    """The rate limit of one user over all its sockets."""

    __slots__ = ("_bucket", "_refilled", "key", "sockets")

    def __init__(self, key: tuple[str, str], now: float) -> None:
        self.key = key
        self.sockets = 0
        self._bucket = TokenBucket(limits.USER_BYTES_PER_SECOND, _FULL_SECONDS)
        self._refilled = now

    def refill(self, now: float, notified: int) -> None:
        """Refill for elapsed time and for notifications sent, which are acknowledged."""
        seconds, self._refilled = now - self._refilled, now
        self._bucket.refill(seconds)
        self._bucket.add(notified * limits.ACKNOWLEDGEMENT_BYTES)

    def spend(self, size: int) -> bool:
        """Return whether the user may send ``size`` bytes."""
        return self._bucket.spend(size)


class InputLimits:
    """The limits that the sockets of one process share for their input."""

    __slots__ = ("_disconnected", "_users", "scheduler")

    def __init__(self) -> None:
        self.scheduler = InputScheduler()
        self._users: dict[tuple[str, str], UserByteBucket] = {}
        self._disconnected: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of buckets in memory."""
        return len(self._users)

    def join(self, key: tuple[str, str], now: float) -> UserByteBucket:
        """Return the bucket of a user, for one more socket."""
        self._evict_full(now)
        user = self._users.get(key)
        if user is None:
            user = self._users[key] = UserByteBucket(key, now)
        self._disconnected.pop(key, None)
        user.sockets += 1
        return user

    def leave(self, user: UserByteBucket, now: float) -> None:
        """Release the bucket of a user for one socket."""
        user.sockets -= 1
        if not user.sockets:
            self._disconnected[user.key] = now
        self._evict_full(now)

    def _evict_full(self, now: float) -> None:
        """Evict the buckets of users without sockets once they are full again."""
        # In the order of disconnection, and all buckets take equally long to fill.
        while self._disconnected:
            key, left_at = next(iter(self._disconnected.items()))
            if now - left_at < _FULL_SECONDS:
                return
            del self._disconnected[key], self._users[key]
