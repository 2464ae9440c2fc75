"""The byte pool: what the edge may buffer in all, shared max-min fair by account and by user.

Everything that the edge holds in memory for a client is reserved here: bytes read ahead, bodies,
answers, outboxes of sockets. (Uploads of media go to disk and are not counted.) The total has two
rooms that never lend to each other: one for connections that are not authenticated yet, one for
the rest, so that strangers cannot take anything from accounts.

While a room has space, a reservation gets what it asks for. When it is full, space is taken from
others only by the rule of max-min fairness. With ``a`` the bytes that the asking account would
have and ``m`` those of the account that has the most:

- ``a <= capacity / active accounts``: the account stays within its equal share. Since the room is
  full, the others then hold more than their equal shares together, so ``m`` is above its own.
- ``a <= m - request``: moving the request from ``m`` to ``a`` leaves ``a`` the smaller one. Then
  ``a`` is below the max-min level and ``m`` above it, even where some accounts use little.

In both cases the slowest exchange of the largest user of the largest account is cut, until there
is space. Otherwise the same two rules apply between the users of the asking account, for what that
account has. Otherwise the asking user is itself the largest one: it is refused. It may wait
(``Reservation.wait``) for space; if none comes, its own slowest exchange is cut, provided that
it moved no byte during the wait.

In the room of the unauthenticated a "user" is a peer address, and the oldest exchange is cut, the
asking peer's own included: everybody behind one proxy has one address, and a stranger with slow
connections must not keep others there from logging in.

States of a reservation, and who moves it:

====================  =========================  =============================================
state                 event                      next
====================  =========================  =============================================
empty (0 bytes)       grow, resize, wait         holding (or refused: still empty)
holding               shrink, resize to 0        empty
empty, holding        assign                     the same, with another owner
empty, holding        close (edge), cut (pool)   closed: its bytes are returned, grow is refused
====================  =========================  =============================================

Nothing here scans while there is space. A cut costs O(active accounts + active users of one
account + exchanges of one user).
"""

from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_used: Final = attrgetter("used")
_tick: Final = attrgetter("tick")


def _never() -> bool:
    return False


class _Partition:
    """One part of the total, with the accounts that hold bytes in it."""

    __slots__ = ("active", "capacity", "cuts", "refusals", "used", "waiters", "waits")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self.active: set[_AccountBuffers] = set()
        self.waiters: list[_Waiter] = []
        self.waits = self.refusals = self.cuts = 0

    def wake(self) -> None:
        """Give free space to waiters, the smallest owner first; stop at the first without room."""
        while self.waiters:
            waiter = min(self.waiters, key=_Waiter.order)
            if waiter.reservation.is_open and self.used + waiter.size > self.capacity:
                return
            self.waiters.remove(waiter)
            waiter.end(is_granted=waiter.reservation.is_open)


class _AccountBuffers:
    """The bytes of one account in a room, and its users that hold some."""

    __slots__ = ("active", "room", "sid", "used", "users")

    def __init__(self, room: _Partition, sid: str) -> None:
        self.room = room
        self.sid = sid
        self.used = 0
        self.users: dict[str, _UserBuffers] = {}
        self.active: set[_UserBuffers] = set()


class _UserBuffers:
    """The bytes of one user of an account. ``members`` counts its open reservations."""

    __slots__ = ("account", "holding", "identity", "members", "used")

    def __init__(self, account: _AccountBuffers, identity: str) -> None:
        self.account = account
        self.identity = identity
        self.used = 0
        self.members = 0
        self.holding: set[Reservation] = set()

    def look(self) -> None:
        """Have all exchanges with bytes say whether bytes have moved since they last did."""
        for each in self.holding:
            each.look()

    def slowest(self, but: Reservation | None = None) -> Reservation | None:
        """Return the exchange with bytes whose last progress is the longest ago."""
        self.look()
        return min((each for each in self.holding if each is not but), key=_tick, default=None)


class _Waiter:
    """A request for bytes that waits until there is space."""

    __slots__ = ("future", "is_granted", "number", "reservation", "size")

    def __init__(self, reservation: Reservation, size: int, number: int) -> None:
        self.reservation = reservation
        self.size = size
        self.number = number
        self.is_granted = False
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def order(self) -> tuple[int, int, int]:
        """Smaller owners first, then first come, first served."""
        user = self.reservation.user
        if not self.reservation.is_open:
            return 0, 0, 0  # Closed while it waited: its end comes first.
        return user.account.used, user.used, self.number

    def end(self, *, is_granted: bool) -> None:
        """Let the exchange go on, with its bytes or without."""
        if self.future.done():
            return
        self.is_granted = is_granted
        if is_granted:
            self.reservation.add(self.size)
        self.future.set_result(None)


class BufferPool:
    """The bytes that the edge of one process may buffer, over all connections."""

    def __init__(
        self,
        total_bytes: int,
        unauthenticated_bytes: int,
        wait_ms_max: int = limits.BUFFER_WAIT_MS_MAX,
    ) -> None:
        """``unauthenticated_bytes`` of the total are the room of unauthenticated connections."""
        assert 0 < unauthenticated_bytes < total_bytes
        self.unauthenticated: Final = _Partition(unauthenticated_bytes)
        self.authenticated: Final = _Partition(total_bytes - unauthenticated_bytes)
        self._strangers = _AccountBuffers(self.unauthenticated, "")
        self._accounts: dict[str, _AccountBuffers] = {}
        self._waits = 0
        self.wait_seconds_max: Final = wait_ms_max / 1000
        self.tick = 0

    @property
    def used(self) -> int:
        """Bytes that are reserved now."""
        return self.authenticated.used + self.unauthenticated.used

    def open(
        self,
        cut: Callable[[], None],
        account_sid: str = "",
        identity: str = "",
        has_moved: Callable[[], bool] = _never,
    ) -> Reservation:
        """Return a reservation of 0 bytes.

        Args:
            cut: Called when the bytes are given to another owner: it must drop what is buffered
                and end the exchange. The reservation is closed already.
            account_sid: The owner; empty while the connection is not authenticated.
            identity: The chat user, empty for the account's own callers. Without an account: the
                address of the peer.
            has_moved: Says whether bytes have moved since it was last called; asked before the
                slowest exchange is chosen. Without it only ``progress`` counts.
        """
        user = self._user(account_sid, identity)
        user.members += 1
        return Reservation(self, user, cut, has_moved)

    def _user(self, account_sid: str, identity: str) -> _UserBuffers:
        account = self._strangers
        if account_sid:
            found = self._accounts.get(account_sid)
            if found is None:
                found = self._accounts[account_sid] = _AccountBuffers(
                    self.authenticated, account_sid
                )
            account = found
        user = account.users.get(identity)
        if user is None:
            user = account.users[identity] = _UserBuffers(account, identity)
        return user

    def leave(self, user: _UserBuffers) -> None:
        """Count one reservation less of a user; forget owners without any."""
        user.members -= 1
        if user.members:
            return
        account = user.account
        del account.users[user.identity]
        if not account.users and account is not self._strangers:
            del self._accounts[account.sid]

    def move(self, reservation: Reservation, account_sid: str, identity: str) -> bool:
        """Give a reservation another owner; False if its bytes find no room there."""
        before, held = reservation.user, reservation.held
        user = self._user(account_sid, identity)
        user.members += 1
        room = user.account.room
        if room is not before.account.room and not self.make_room(reservation, user, held):
            self.leave(user)
            room.refusals += 1
            room.wake()  # Something may have been cut in vain.
            return False
        if not reservation.is_open:  # Its own owner closed it while others were cut.
            self.leave(user)
            return False
        tick = reservation.tick
        reservation.remove(held)
        reservation.user = user
        reservation.add(held)
        reservation.tick = tick
        self.leave(before)
        before.account.room.wake()
        room.wake()
        return True

    # --- When a room is full ----------------------------------------------------------------

    def make_room(self, asking: Reservation, user: _UserBuffers, size: int) -> bool:
        """Cut exchanges of owners over their share until ``size`` bytes are free, or refuse."""
        room = user.account.room
        while room.used + size > room.capacity:
            victim = _victim(user, size)
            if victim is None and room is self.unauthenticated:
                victim = user.slowest(but=asking)
            if victim is None:
                return False
            victim.cut()
        return True

    def enqueue(self, reservation: Reservation, size: int) -> _Waiter:
        """Queue a request; beyond the bound the one most over its share is refused."""
        room = reservation.user.account.room
        self._waits += 1
        room.waits += 1
        waiter = _Waiter(reservation, size, self._waits)
        room.waiters.append(waiter)
        if len(room.waiters) > limits.BUFFER_WAITERS_MAX:
            last = max(room.waiters, key=_Waiter.order)
            room.waiters.remove(last)
            last.end(is_granted=False)
        return waiter


def _victim(user: _UserBuffers, size: int) -> Reservation | None:
    """Return the exchange that has to make room for a user's request, if there is one."""
    account = user.account
    room = account.room
    largest = _largest_to_cut(account, room.active, room.capacity, size)
    if isinstance(largest, _AccountBuffers):
        return max(largest.active, key=_used).slowest()
    # What the account may have without taking from others.
    capacity = account.used + room.capacity - room.used
    largest = _largest_to_cut(user, account.active, capacity, size)
    return largest.slowest() if isinstance(largest, _UserBuffers) else None


def _largest_to_cut(
    asking: _AccountBuffers | _UserBuffers,
    active: Iterable[_AccountBuffers | _UserBuffers],
    capacity: int,
    size: int,
) -> _AccountBuffers | _UserBuffers | None:
    """Return the largest of the others, if fairness gives some of its bytes to the asking one."""
    others = [each for each in active if each is not asking]
    if not others:
        return None
    largest = max(others, key=_used)
    wanted = asking.used + size
    is_within_share = wanted <= capacity // (len(others) + 1)
    return largest if is_within_share or wanted <= largest.used - size else None


class Reservation:
    """The bytes of one exchange or connection."""

    __slots__ = ("_cut", "_has_moved", "_pool", "held", "is_open", "tick", "user")

    def __init__(
        self,
        pool: BufferPool,
        user: _UserBuffers,
        cut: Callable[[], None],
        has_moved: Callable[[], bool],
    ) -> None:
        self._pool = pool
        self._cut = cut
        self._has_moved = has_moved
        self.user = user
        self.held = 0
        self.is_open = True
        self.tick = 0

    def grow(self, size: int) -> bool:
        """Reserve so many bytes more; False if there is no room for them, or it was cut."""
        room = self.user.account.room
        if self.is_open and room.used + size <= room.capacity:
            self.add(size)
            if room.waiters:
                room.wake()
            return True
        if self._grow_by_cuts(size):
            return True
        room.refusals += self.is_open
        return False

    def _grow_by_cuts(self, size: int) -> bool:
        if not self.is_open:
            return False
        has_room = self._pool.make_room(self, self.user, size) and self.is_open
        if has_room:
            self.add(size)
        self.user.account.room.wake()  # What was cut may be more than it needs.
        return has_room

    def shrink(self, size: int) -> None:
        """Return so many bytes. Does nothing once the reservation was closed or cut."""
        if not self.is_open:
            return
        assert size <= self.held
        self.remove(size)
        room = self.user.account.room
        if room.waiters:
            room.wake()

    def resize(self, size: int) -> bool:
        """Reserve this many bytes in all; False, and nothing changed, if there is no room."""
        more = size - self.held
        if more > 0:
            return self.grow(more)
        self.shrink(-more)
        return self.is_open

    def look(self) -> None:
        """Record progress if bytes have moved since the last look."""
        if self._has_moved():
            self.progress()

    def progress(self) -> None:
        """Record that bytes moved between the client and us: the exchange is not slow.

        Without an account it counts for nothing: a connection has to authenticate, not to move.
        """
        if self.user.account.sid:
            pool = self._pool
            pool.tick = self.tick = pool.tick + 1

    def assign(self, account_sid: str, identity: str = "") -> bool:
        """Give the reservation to another owner; False, and nothing changed, without room."""
        user = self.user
        if user.account.sid == account_sid and user.identity == identity:
            return self.is_open
        return self.is_open and self._pool.move(self, account_sid, identity)

    def close(self) -> None:
        """Return everything. May be called again."""
        if not self.is_open:
            return
        room = self.user.account.room
        self._close()
        if room.waiters:
            room.wake()

    async def wait(self, size: int) -> bool:
        """Reserve so many bytes more, with a short wait for room; False: answer 503."""
        room = self.user.account.room
        if room.used + size <= room.capacity or not self.is_open:
            return self.grow(size)
        if self._grow_by_cuts(size):
            return True
        self.user.look()  # What moved before this does not count.
        begun = self._pool.tick
        waiter = self._pool.enqueue(self, size)
        try:
            await asyncio.wait((waiter.future,), timeout=self._pool.wait_seconds_max)
        except asyncio.CancelledError:
            if waiter.is_granted:
                self.shrink(size)
            raise
        finally:
            if waiter in room.waiters:
                room.waiters.remove(waiter)
        is_timeout = not waiter.future.done()
        if waiter.is_granted or (is_timeout and self._grow_by_idle(size, begun)):
            return True
        room.refusals += self.is_open
        return False

    def _grow_by_idle(self, size: int, since: int) -> bool:
        """Take the space of the user's own exchanges that have not moved since a tick."""
        user = self.user
        room = user.account.room
        while room.used + size > room.capacity:
            victim = user.slowest(but=self) if self.is_open else None
            if victim is None or victim.tick > since:
                return False
            victim.cut()
        return self.grow(size)

    # --- What the pool calls ----------------------------------------------------------------

    def cut(self) -> None:
        """End the exchange. Its space is for the one that asked, so waiters are not woken."""
        self.user.account.room.cuts += 1
        self._close()
        self._cut()

    def _close(self) -> None:
        self.is_open = False
        self.remove(self.held)
        self._pool.leave(self.user)

    def add(self, size: int) -> None:
        """Count bytes for the owner, who is active from its first byte on."""
        user = self.user
        account = user.account
        room = account.room
        if not self.held and size:
            pool = self._pool
            pool.tick = self.tick = pool.tick + 1
            user.holding.add(self)
            if not user.used:
                account.active.add(user)
                if not account.used:
                    room.active.add(account)
        self.held += size
        user.used += size
        account.used += size
        room.used += size

    def remove(self, size: int) -> None:
        """Undo ``add``."""
        user = self.user
        account = user.account
        room = account.room
        self.held -= size
        user.used -= size
        account.used -= size
        room.used -= size
        if not self.held and size:
            user.holding.discard(self)
            if not user.used:
                account.active.discard(user)
                if not account.used:
                    room.active.discard(account)
