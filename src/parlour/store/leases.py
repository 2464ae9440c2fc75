"""Leases: work that only one process does at a time, and how the one before is kept out.

An owner says again and again that it is there; one that falls silent is followed by another after
``LEASE_MS``. The database's clock alone decides. The one before may not know that: it was paused,
or cut off. Two things hold it back. Whatever it writes in its turn begins with a look at its
fence, a number that grows with every new owner, in the same transaction: what it would have noted
is not kept. And it sends only while its own monotonic clock says that the lease cannot be
anybody's else yet, since the last time that it was confirmed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import structlog

from parlour.store.transaction import ALL_ACCOUNTS, Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.store.transaction import ConflictScope, DryRun, Store, Transaction, Work
    from parlour.vocabulary.clock import Clock

T = TypeVar("T")

log = structlog.get_logger()

# Only on PostgreSQL: on SQLite there is one process. It may take seconds to get at the row, so what
# is set there is counted from then on: otherwise each of several that waited would find it expired.
# One that ends later than a lease taken now is of before the database's clock was set back.
TAKE: Final = """
INSERT INTO lease (name, owner, fence, expires_ms)
VALUES ($1, $2, 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $3)
ON CONFLICT (name) DO UPDATE
   SET owner = excluded.owner,
       expires_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $3,
       fence = lease.fence + CASE WHEN lease.owner = excluded.owner THEN 0 ELSE 1 END
 WHERE lease.owner = excluded.owner
    OR lease.expires_ms <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    OR lease.expires_ms > (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $3
RETURNING fence
"""
RELEASE: Final = "UPDATE lease SET expires_ms = 0 WHERE name = $1 AND owner = $2"
CHECK: Final = "SELECT 1 FROM lease WHERE name = $1 AND owner = $2 AND fence = $3 FOR UPDATE"

_RENEWED_MS: Final = limits.LEASE_MS // 4
# What was confirmed is relied on for less than it lasts: a request on its way may take its time.
_RELIED_ON_MS: Final = limits.LEASE_MS * 2 // 3


class LeaseLost(Exception):  # noqa: N818 - named after the condition.
    """Somebody else does this work now: nothing was done."""


class LeaseTerm(Protocol):
    """One turn of one owner: from when it took the lease to when it lost it."""

    @property
    def store(self) -> Store:
        """The store, for what is written in this turn. Writing raises ``LeaseLost`` after it."""
        ...

    def is_current(self) -> bool:
        """Whether it is certain that nobody else has begun."""
        ...


class Lease(Protocol):
    """The right to do one kind of work."""

    async def start(self) -> None:
        """Begin to ask for it."""
        ...

    def current_term(self) -> LeaseTerm | None:
        """The turn that this process has now, if it has one."""
        ...

    async def stop(self) -> None:
        """Ask for it no more, and let others have it at once."""
        ...


class LocalLeaseTerm:
    """The only turn there is: no other process works on this store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def is_current(self) -> bool:
        """Always."""
        return True


class LocalLease:
    """The lease of the only process."""

    def __init__(self, store: Store) -> None:
        self._lease_term = LocalLeaseTerm(store)

    async def start(self) -> None:
        """Nobody has to be asked."""

    def current_term(self) -> LocalLeaseTerm:
        """The only turn there is."""
        return self._lease_term

    async def stop(self) -> None:
        """Nobody waits for it."""


class FencedLeaseTerm:
    """A turn among several processes."""

    def __init__(self, store: Store, clock: Clock, name: str, owner: str, fence: int) -> None:
        self.store = FencedStore(store, self)
        self.fence = fence
        self._clock = clock
        self._name = name
        self._owner = owner
        self._until_ms = 0.0

    def confirm(self, asked_at_ms: float) -> None:
        """The lease was this process's when it asked."""
        self._until_ms = asked_at_ms + _RELIED_ON_MS

    def end(self) -> None:
        """The lease is somebody else's."""
        self._until_ms = 0.0

    def is_current(self) -> bool:
        """Whether it is certain that nobody else has begun."""
        return self._clock.monotonic_ms() < self._until_ms

    async def check(self, tx: Transaction) -> None:
        """Keep others from beginning until the transaction has ended. Raises ``LeaseLost``."""
        if await tx.one(CHECK, self._name, self._owner, self.fence) is None:
            # Sooner than our own clock would have said: the database's may have jumped.
            self.end()
            raise LeaseLost(self._name)


class FencedStore:
    """The store as the owner of a turn writes to it."""

    def __init__(self, store: Store, lease_term: FencedLeaseTerm) -> None:
        self._store = store
        self._lease_term = lease_term
        self.is_shared = store.is_shared
        self.start = store.start
        self.close = store.close
        self.on_commit = store.on_commit
        self.read = store.read

    async def write(
        self,
        work: Work[T],
        origin: Origin = SILENT,
        *,
        account_sid: str = ALL_ACCOUNTS,
        conflict_scope: ConflictScope | None = None,  # noqa: ARG002 - the fence lies outside.
    ) -> T:
        """Run a change in this turn. Raises ``LeaseLost`` when it is over."""
        return await self._store.write(self._fenced(work), origin, account_sid=account_sid)

    async def dry_run(
        self, work: Work[T], origin: Origin = SILENT, *, account_sid: str = ALL_ACCOUNTS
    ) -> DryRun[T]:
        """Run a change in this turn for what it would give."""
        return await self._store.dry_run(self._fenced(work), origin, account_sid=account_sid)

    def _fenced(self, work: Work[T]) -> Work[T]:
        async def fenced(tx: Transaction) -> T:
            await self._lease_term.check(tx)
            return await work(tx)

        return fenced


class SharedLease:
    """A lease that several processes ask for."""

    def __init__(self, store: Store, clock: Clock, name: str, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._owner = owner
        self._lease_term: FencedLeaseTerm | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Ask at once, and then again and again."""
        await self._ask()
        self._renewing = asyncio.create_task(self._renew(), name=f"lease {self._name}")

    def current_term(self) -> FencedLeaseTerm | None:
        """The turn that this process has now, if it is certain that it has one."""
        held = self._lease_term
        return held if held is not None and held.is_current() else None

    async def _renew(self) -> None:
        while True:  # Ends when it is cancelled.
            await asyncio.sleep(_RENEWED_MS / 1000)
            await self._ask()

    async def _ask(self) -> None:
        """Ask for the lease, or say that it is still needed."""
        asked_at_ms = self._clock.monotonic_ms()
        try:
            fence = await self._store.write(self._take)
        except (Busy, Unavailable) as error:
            log.warning("lease_renewal_failed", lease=self._name, error=str(error))
            return
        held = self._lease_term
        if held is not None and (held.fence != fence or not held.is_current()):
            # A turn that was in doubt once is over: what relied on it has stopped.
            held.end()
            held = None
        if held is None and fence is not None:
            log.info("lease_acquired", lease=self._name, fence=fence)
            held = FencedLeaseTerm(self._store, self._clock, self._name, self._owner, fence)
        if held is not None:
            held.confirm(asked_at_ms)
        self._lease_term = held

    async def _take(self, tx: Transaction) -> int | None:
        row = await tx.one(TAKE, self._name, self._owner, limits.LEASE_MS)
        return None if row is None else int(row[0])

    async def stop(self) -> None:
        """Ask for it no more, and let others have it at once."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._lease_term is None:
            return
        self._lease_term.end()
        try:
            await self._store.write(lambda tx: tx.run(RELEASE, self._name, self._owner))
        except (Busy, Unavailable):
            log.warning("lease_release_failed", lease=self._name)  # It runs out by itself.


def lease_factory(store: Store, clock: Clock, owner: str) -> Callable[[str], Lease]:
    """Makes the lease of each kind of work, for one process that calls itself ``owner``."""

    def lease(name: str) -> Lease:
        return SharedLease(store, clock, name, owner) if store.is_shared else LocalLease(store)

    return lease
