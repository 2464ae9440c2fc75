"""Leases: work that only one process does at a time, such as delivering webhooks.

**Term and fence.** A process acquires a lease with a TTL of ``LEASE_MS`` and renews it every
quarter of that. When the owner stops renewing, another process acquires it after the TTL. Only the
database's clock decides that. Each change of owner increments the *fence*, a number in the row of
the lease. A *term* is the time from acquiring the lease to losing it (``LeaseTerm``).

With SQLite there is one process; ``LocalLease`` has one term, which never ends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import structlog

from parlour.store.transaction import ALL_ACCOUNTS, Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.store.transaction import ConflictScope, DryRun, Store, Transaction, Work
    from parlour.vocabulary.clock import Clock

T = TypeVar("T")

log = structlog.get_logger()

# PostgreSQL only. Waiting for the row's lock may take seconds, so clock_timestamp() is used instead
# of now(): with the time of BEGIN, each of several waiters would find the lease expired.
# An expiry later than a new one could be was set before the clock was set back.
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

_RENEWAL_MS: Final = limits.LEASE_MS // 4
# Shorter than the TTL: a request that was sent just before may take its time.
_CURRENT_MS: Final = limits.LEASE_MS * 2 // 3


class LeaseLost(Exception):  # noqa: N818 - named after the condition.
    """Another process has the lease: the write was rolled back."""


class LeaseTerm(Protocol):
    """The time from acquiring a lease to losing it."""

    @property
    def store(self) -> Store:
        """Return the store for writes in this term. After the term they raise ``LeaseLost``."""
        ...

    def is_current(self) -> bool:
        """Return whether no other process can have acquired the lease."""
        ...


class Lease(Protocol):
    """The exclusive right to one kind of work."""

    async def start(self) -> None:
        """Start to acquire and renew it."""
        ...

    def current_term(self) -> LeaseTerm | None:
        """Return the current term of this process, or None."""
        ...

    async def stop(self) -> None:
        """Stop renewing, and release it so that another process can acquire it at once."""
        ...


class LocalLeaseTerm:
    """The only term there is: no other process works on this store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def is_current(self) -> bool:
        """Return True."""
        return True


class LocalLease:
    """The lease of the only process."""

    def __init__(self, store: Store) -> None:
        self._term = LocalLeaseTerm(store)

    async def start(self) -> None:
        """Do nothing: the term has no start."""

    def current_term(self) -> LocalLeaseTerm:
        """Return the only term there is."""
        return self._term

    async def stop(self) -> None:
        """Do nothing: the term has no end."""


# A process that was paused or disconnected may not know that it has lost the lease. Two checks stop
# it:
#
# - Writes in its term go through ``FencedStore``: they lock the row of the lease and compare owner
#   and fence in the same transaction. A write after the term raises ``LeaseLost`` and changes
#   nothing.
# - Requests to other servers cannot be fenced. They are sent only while ``is_current``: until two
#   thirds of ``LEASE_MS`` after the last successful renewal was sent, by the monotonic clock of
#   this process. The database counts the TTL from a later moment, so no other process can acquire
#   the lease in that time.
class FencedLeaseTerm:
    """A term of one of several processes."""

    def __init__(self, store: Store, clock: Clock, name: str, owner: str, fence: int) -> None:
        self.store = FencedStore(store, self)
        self.fence = fence
        self._clock = clock
        self._name = name
        self._owner = owner
        self._current_until_ms = 0.0

    def confirm(self, sent_at_ms: float) -> None:
        """Extend the term after a renewal that was sent at a time of the monotonic clock."""
        self._current_until_ms = sent_at_ms + _CURRENT_MS

    def end(self) -> None:
        """End the term: another process may have the lease."""
        self._current_until_ms = 0.0

    def is_current(self) -> bool:
        """Return whether no other process can have acquired the lease."""
        return self._clock.monotonic_ms() < self._current_until_ms

    async def check(self, tx: Transaction) -> None:
        """Lock the row of the lease until the transaction ends. Raises ``LeaseLost``."""
        if await tx.one(CHECK, self._name, self._owner, self.fence) is None:
            # The local clock may still call it current: the database's clock may have jumped.
            self.end()
            raise LeaseLost(self._name)


class FencedStore:
    """The store for writes in one term: each write checks the fence first."""

    def __init__(self, store: Store, term: FencedLeaseTerm) -> None:
        self._store = store
        self._term = term
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
        conflict_scope: ConflictScope | None = None,  # noqa: ARG002 - the lease is outside of it.
    ) -> T:
        """Run a change in this term. Raises ``LeaseLost`` after it."""
        return await self._store.write(self._fenced(work), origin, account_sid=account_sid)

    async def dry_run(
        self, work: Work[T], origin: Origin = SILENT, *, account_sid: str = ALL_ACCOUNTS
    ) -> DryRun[T]:
        """Run a change in this term and roll it back. Raises ``LeaseLost`` after the term."""
        return await self._store.dry_run(self._fenced(work), origin, account_sid=account_sid)

    def _fenced(self, work: Work[T]) -> Work[T]:
        async def fenced(tx: Transaction) -> T:
            await self._term.check(tx)
            return await work(tx)

        return fenced


# =======  ===================================  =================================================
# state    invariant                            next state, and its cause
# =======  ===================================  =================================================
# waiting  no term                              owner: acquired, with a new fence
# owner    ``_term.is_current()``               owner: renewed with the same fence
#                                               expired: no renewal for two thirds of LEASE_MS
#                                               waiting: another process owns it, or ``stop``
# expired  term not current, row possibly ours  owner: acquired again; always as a new term
#                                               waiting: another process owns it
# =======  ===================================  =================================================
#
# A term that was not current once is never current again (``end``), even if the fence is unchanged:
# everything that relied on it has stopped by then, and the new term reads its state from the store.
class SharedLease:
    """A lease that several processes try to acquire."""

    def __init__(self, store: Store, clock: Clock, name: str, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._owner = owner
        self._term: FencedLeaseTerm | None = None
        self._renewal: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Try to acquire it at once, then retry or renew it periodically."""
        await self._acquire_or_renew()
        self._renewal = asyncio.create_task(self._renew(), name=f"lease {self._name}")

    def current_term(self) -> FencedLeaseTerm | None:
        """Return the current term of this process, or None."""
        term = self._term
        return term if term is not None and term.is_current() else None

    async def _renew(self) -> None:
        while True:  # Ends when it is cancelled.
            await asyncio.sleep(_RENEWAL_MS / 1000)
            with failures_logged("lease_renewal_failed", lease=self._name):
                await self._acquire_or_renew()

    async def _acquire_or_renew(self) -> None:
        # Taken before the request: the database counts the TTL from a later moment.
        sent_at_ms = self._clock.monotonic_ms()
        try:
            fence = await self._store.write(self._take)
        except (Busy, Unavailable) as error:
            log.warning("lease_renewal_failed", lease=self._name, error=str(error))
            return
        term = self._term
        if term is not None and (term.fence != fence or not term.is_current()):
            term.end()
            term = None
        if term is None and fence is not None:
            log.info("lease_acquired", lease=self._name, fence=fence)
            term = FencedLeaseTerm(self._store, self._clock, self._name, self._owner, fence)
        if term is not None:
            term.confirm(sent_at_ms)
        self._term = term

    async def _take(self, tx: Transaction) -> int | None:
        """Return the fence if this process has the lease now, else None."""
        row = await tx.one(TAKE, self._name, self._owner, limits.LEASE_MS)
        return None if row is None else int(row[0])

    async def stop(self) -> None:
        """Stop renewing, and release it so that another process can acquire it at once."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        if self._term is None:
            return
        # Ended before the release: another process may own the lease as soon as it is committed.
        self._term.end()
        try:
            await self._store.write(lambda tx: tx.run(RELEASE, self._name, self._owner))
        except (Busy, Unavailable):
            log.warning("lease_release_failed", lease=self._name)  # It expires after LEASE_MS.


def lease_factory(store: Store, clock: Clock, owner: str) -> Callable[[str], Lease]:
    """Return a function that makes the lease of a kind of work for the process ``owner``."""

    def lease(name: str) -> Lease:
        return SharedLease(store, clock, name, owner) if store.is_shared else LocalLease(store)

    return lease
