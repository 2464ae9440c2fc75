"""Max-min fair shares of buffered bytes: the choice of a victim, and the order of waiters.

A partition is full when a request does not fit. Space is then taken from others only by max-min
fairness. With ``a`` the bytes that the requesting account would have, and ``m`` the bytes of
the account that has the most, one of two conditions has to hold:

- ``a <= capacity / active accounts``: the account stays within its equal share. Since the
  partition is full, the others together hold more than their equal shares, so ``m`` is above its
  own.
- ``a <= m - request``: moving the request from ``m`` to ``a`` leaves ``a`` the smaller one. Then
  ``a`` is below the max-min level and ``m`` above it, even if some accounts use little.

The victim is the slowest exchange of the largest user of the largest account. If neither condition
holds, both are applied to the users of the requesting account, for that account's bytes. If
neither holds there, the requesting user is itself the largest one, and there is no victim.

Nothing here scans while there is space. The choice of a victim costs O(active accounts + active
users of one account + exchanges of one user).
"""

from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.operations.buffers import Reservation

_used: Final = attrgetter("used")
_tick: Final = attrgetter("tick")


class Partition:
    """One part of the total with a separate capacity, and the accounts that hold bytes in it."""

    __slots__ = ("active", "capacity", "cuts", "refusals", "used", "waiters", "waits")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self.active: set[AccountBuffers] = set()
        self.waiters: list[Waiter] = []
        self.waits = self.refusals = self.cuts = 0

    def wake(self) -> None:
        """Grant free space to waiters, the smallest owner first, until one does not fit."""
        while self.waiters:
            waiter = min(self.waiters, key=Waiter.order)
            if waiter.reservation.is_open and self.used + waiter.size > self.capacity:
                return
            self.waiters.remove(waiter)
            waiter.end(is_granted=waiter.reservation.is_open)


class AccountBuffers:
    """The bytes of one account in a partition; ``active`` are its users that hold some."""

    __slots__ = ("active", "partition", "sid", "used", "users")

    def __init__(self, partition: Partition, sid: str) -> None:
        self.partition = partition
        self.sid = sid
        self.used = 0
        self.users: dict[str, UserBuffers] = {}
        self.active: set[UserBuffers] = set()


class UserBuffers:
    """The bytes of one user of an account. ``members`` counts its open reservations."""

    __slots__ = ("account", "holding", "identity", "members", "used")

    def __init__(self, account: AccountBuffers, identity: str) -> None:
        self.account = account
        self.identity = identity
        self.used = 0
        self.members = 0
        self.holding: set[Reservation] = set()

    def poll_progress(self) -> None:
        """Ask each exchange with bytes whether bytes have moved since the previous poll."""
        for each in self.holding:
            each.poll_progress()

    def slowest(self, but: Reservation | None = None) -> Reservation | None:
        """Return the exchange with bytes that has made no progress for the longest time."""
        self.poll_progress()
        return min((each for each in self.holding if each is not but), key=_tick, default=None)


class Waiter:
    """A queued request for bytes."""

    __slots__ = ("future", "is_granted", "number", "reservation", "size")

    def __init__(self, reservation: Reservation, size: int, number: int) -> None:
        self.reservation = reservation
        self.size = size
        self.number = number
        self.is_granted = False
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def order(self) -> tuple[int, int, int]:
        """Return the sort key: closed reservations, then the smallest owner, then FIFO."""
        user = self.reservation.user
        if not self.reservation.is_open:
            return 0, 0, 0
        return user.account.used, user.used, self.number

    def end(self, *, is_granted: bool) -> None:
        """Resume the exchange, with its bytes or without."""
        if self.future.done():
            return
        self.is_granted = is_granted
        if is_granted:
            self.reservation.add(self.size)
        self.future.set_result(None)


def find_victim(user: UserBuffers, size: int) -> Reservation | None:
    """Return the exchange to cut for a user's request; None if fairness allows none."""
    account = user.account
    partition = account.partition
    largest = _largest_to_cut(account, partition.active, partition.capacity, size)
    if isinstance(largest, AccountBuffers):
        return max(largest.active, key=_used).slowest()
    # What the account can have without taking from others.
    capacity = account.used + partition.capacity - partition.used
    largest = _largest_to_cut(user, account.active, capacity, size)
    return largest.slowest() if isinstance(largest, UserBuffers) else None


def _largest_to_cut(
    requester: AccountBuffers | UserBuffers,
    active: Iterable[AccountBuffers | UserBuffers],
    capacity: int,
    size: int,
) -> AccountBuffers | UserBuffers | None:
    """Return the largest of the others if one of the two conditions holds, else None."""
    others = [each for each in active if each is not requester]
    if not others:
        return None
    largest = max(others, key=_used)
    wanted = requester.used + size
    is_within_share = wanted <= capacity // (len(others) + 1)
    return largest if is_within_share or wanted <= largest.used - size else None
