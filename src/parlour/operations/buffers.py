"""The buffer pool: a bound on the bytes that one process buffers for all its clients.

All bytes that the edge holds in memory for a client are reserved here first: bytes read ahead,
request bodies, responses, outboxes of sockets. (Uploads of media go to disk and are not counted.)
The total has two partitions that never lend to each other: one for connections that are not
authenticated yet, one for the rest, so that unauthenticated peers cannot take anything from
accounts.

While a partition has space, a reservation gets what it requests. If it is full, exchanges of owners
above their max-min fair share are cut until there is space (`operations/buffer_shares.py`);
otherwise the request is refused. `Reservation.wait` queues it for a short time instead. If no space
becomes free, the slowest exchange of the same user is cut, provided that it moved no byte during
the wait.

In the partition of the unauthenticated a "user" is a peer address, and the oldest exchange is cut,
the requester's own included: all clients behind one proxy share an address, and one of them with
slow connections must not keep the others from logging in.

States of a reservation:

====================  =========================  =============================================
state                 event                      next state
====================  =========================  =============================================
empty (0 bytes)       grow, resize, wait         holding (or refused: still empty)
holding               shrink, resize to 0        empty
empty, holding        assign                     the same, with another owner
empty, holding        close (edge), cut (pool)   closed: its bytes are returned, grow is refused
====================  =========================  =============================================

Invariants: ``used`` of a partition is the sum over its accounts, of an account the sum over its
users, of a user the sum over its open reservations. A partition never exceeds its capacity.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from parlour.operations.buffer_shares import (
    AccountBuffers,
    Partition,
    UserBuffers,
    Waiter,
    find_victim,
)
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable


def _never() -> bool:
    return False


class BufferPool:
    """The bytes that the edge of one process may buffer, over all connections."""

    def __init__(
        self,
        total_bytes: int,
        unauthenticated_bytes: int,
        wait_ms_max: int = limits.BUFFER_WAIT_MS_MAX,
    ) -> None:
        """``unauthenticated_bytes`` of the total are for connections without an account."""
        assert 0 < unauthenticated_bytes < total_bytes
        self.unauthenticated: Final = Partition(unauthenticated_bytes)
        self.authenticated: Final = Partition(total_bytes - unauthenticated_bytes)
        self._unauthenticated = AccountBuffers(self.unauthenticated, "")
        self._accounts: dict[str, AccountBuffers] = {}
        self._waits = 0
        self.wait_seconds_max: Final = wait_ms_max / 1000
        self.tick = 0

    @property
    def used(self) -> int:
        """The number of reserved bytes."""
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
            cut: Callback that discards the buffered bytes and ends the exchange, since another
                owner gets them. The reservation is closed already.
            account_sid: The owner; empty while the connection is not authenticated.
            identity: The chat user, empty for the account's own callers. Without an account: the
                address of the peer.
            has_moved: Returns whether bytes have moved since its previous call; called before
                the slowest exchange is chosen. Without it only ``progress`` counts.
        """
        user = self._user(account_sid, identity)
        user.members += 1
        return Reservation(self, user, cut, has_moved)

    def _user(self, account_sid: str, identity: str) -> UserBuffers:
        account = self._unauthenticated
        if account_sid:
            found = self._accounts.get(account_sid)
            if found is None:
                found = self._accounts[account_sid] = AccountBuffers(
                    self.authenticated, account_sid
                )
            account = found
        user = account.users.get(identity)
        if user is None:
            user = account.users[identity] = UserBuffers(account, identity)
        return user

    def leave(self, user: UserBuffers) -> None:
        """Count one reservation less of a user; drop owners without reservations."""
        user.members -= 1
        if user.members:
            return
        account = user.account
        del account.users[user.identity]
        if not account.users and account is not self._unauthenticated:
            del self._accounts[account.sid]

    def move(self, reservation: Reservation, account_sid: str, identity: str) -> bool:
        """Change the owner of a reservation; False if its bytes do not fit there."""
        before, held = reservation.user, reservation.held
        user = self._user(account_sid, identity)
        user.members += 1
        partition = user.account.partition
        if partition is not before.account.partition and not self.free_space(
            reservation, user, held
        ):
            self.leave(user)
            partition.refusals += 1
            partition.wake()  # A cut may have freed too little for this, and enough for a waiter.
            return False
        if not reservation.is_open:  # Its owner closed it while others were cut.
            self.leave(user)
            return False
        tick = reservation.tick
        reservation.remove(held)
        reservation.user = user
        reservation.add(held)
        reservation.tick = tick
        self.leave(before)
        before.account.partition.wake()
        partition.wake()
        return True

    # --- A full partition -------------------------------------------------------------------

    def free_space(self, requester: Reservation, user: UserBuffers, size: int) -> bool:
        """Cut exchanges of owners above their share until ``size`` bytes are free, or refuse."""
        partition = user.account.partition
        while partition.used + size > partition.capacity:
            victim = find_victim(user, size)
            if victim is None and partition is self.unauthenticated:
                victim = user.slowest(but=requester)
            if victim is None:
                return False
            victim.cut()
        return True

    def enqueue(self, reservation: Reservation, size: int) -> Waiter:
        """Queue a request; if the queue is full, refuse the one most above its share."""
        partition = reservation.user.account.partition
        self._waits += 1
        partition.waits += 1
        waiter = Waiter(reservation, size, self._waits)
        partition.waiters.append(waiter)
        if len(partition.waiters) > limits.BUFFER_WAITERS_MAX:
            last = max(partition.waiters, key=Waiter.order)
            partition.waiters.remove(last)
            last.end(is_granted=False)
        return waiter


class Reservation:
    """The bytes of one exchange or connection."""

    __slots__ = ("_cut", "_has_moved", "_pool", "held", "is_open", "tick", "user")

    def __init__(
        self,
        pool: BufferPool,
        user: UserBuffers,
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
        """Reserve more bytes; False if they do not fit or the reservation was cut."""
        partition = self.user.account.partition
        if self.is_open and partition.used + size <= partition.capacity:
            self.add(size)
            if partition.waiters:
                partition.wake()
            return True
        if self._grow_by_cuts(size):
            return True
        partition.refusals += self.is_open
        return False

    def _grow_by_cuts(self, size: int) -> bool:
        if not self.is_open:
            return False
        has_space = self._pool.free_space(self, self.user, size) and self.is_open
        if has_space:
            self.add(size)
        self.user.account.partition.wake()  # The cuts may have freed more than it needs.
        return has_space

    def shrink(self, size: int) -> None:
        """Return bytes to the pool. Does nothing after the reservation was closed or cut."""
        if not self.is_open:
            return
        assert size <= self.held
        self.remove(size)
        partition = self.user.account.partition
        if partition.waiters:
            partition.wake()

    def resize(self, size: int) -> bool:
        """Reserve this many bytes in total; False, and nothing changed, if they do not fit."""
        more = size - self.held
        if more > 0:
            return self.grow(more)
        self.shrink(-more)
        return self.is_open

    def poll_progress(self) -> None:
        """Record progress if bytes have moved since the previous poll."""
        if self._has_moved():
            self.progress()

    def progress(self) -> None:
        """Record that bytes moved between client and server: the exchange is not slow.

        Ignored without an account: an unauthenticated connection is judged by its age alone.
        """
        if self.user.account.sid:
            pool = self._pool
            pool.tick = self.tick = pool.tick + 1

    def assign(self, account_sid: str, identity: str = "") -> bool:
        """Change the owner; False, and nothing changed, if the bytes do not fit there."""
        user = self.user
        if user.account.sid == account_sid and user.identity == identity:
            return self.is_open
        return self.is_open and self._pool.move(self, account_sid, identity)

    def close(self) -> None:
        """Return all bytes. Idempotent."""
        if not self.is_open:
            return
        partition = self.user.account.partition
        self._close()
        if partition.waiters:
            partition.wake()

    async def wait(self, size: int) -> bool:
        """Reserve more bytes, waiting shortly for space; False: the request gets a 503."""
        partition = self.user.account.partition
        if partition.used + size <= partition.capacity or not self.is_open:
            return self.grow(size)
        if self._grow_by_cuts(size):
            return True
        self.user.poll_progress()  # What moved before the wait does not count.
        start_tick = self._pool.tick
        waiter = self._pool.enqueue(self, size)
        try:
            await asyncio.wait((waiter.future,), timeout=self._pool.wait_seconds_max)
        except asyncio.CancelledError:
            if waiter.is_granted:
                self.shrink(size)
            raise
        finally:
            if waiter in partition.waiters:
                partition.waiters.remove(waiter)
        is_timeout = not waiter.future.done()
        if waiter.is_granted or (is_timeout and self._grow_by_idle(size, start_tick)):
            return True
        partition.refusals += self.is_open
        return False

    def _grow_by_idle(self, size: int, since: int) -> bool:
        """Cut the user's own exchanges that have made no progress since a tick, and grow."""
        user = self.user
        partition = user.account.partition
        while partition.used + size > partition.capacity:
            victim = user.slowest(but=self) if self.is_open else None
            if victim is None or victim.tick > since:
                return False
            victim.cut()
        return self.grow(size)

    # --- Called by the pool -----------------------------------------------------------------

    def cut(self) -> None:
        """End the exchange. Its space is for the requester, so waiters are not woken."""
        self.user.account.partition.cuts += 1
        self._close()
        self._cut()

    def _close(self) -> None:
        self.is_open = False
        self.remove(self.held)
        self._pool.leave(self.user)

    def add(self, size: int) -> None:
        """Count bytes for the owner, which becomes active with its first byte."""
        user = self.user
        account = user.account
        partition = account.partition
        if not self.held and size:
            pool = self._pool
            pool.tick = self.tick = pool.tick + 1
            user.holding.add(self)
            if not user.used:
                account.active.add(user)
                if not account.used:
                    partition.active.add(account)
        self.held += size
        user.used += size
        account.used += size
        partition.used += size

    def remove(self, size: int) -> None:
        """Reverse ``add``; the owner becomes inactive with its last byte."""
        user = self.user
        account = user.account
        partition = account.partition
        self.held -= size
        user.used -= size
        account.used -= size
        partition.used -= size
        if not self.held and size:
            user.holding.discard(self)
            if not user.used:
                account.active.discard(user)
                if not account.used:
                    partition.active.discard(account)
