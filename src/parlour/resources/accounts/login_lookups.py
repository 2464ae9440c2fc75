"""Lookups of logins at a bounded rate, so that guesses cannot overload the store.

| lookup of                                 | cost                                               |
|-------------------------------------------|----------------------------------------------------|
| a name that was read within a second      | no read, whether the name is known or not          |
| a login that is known to be valid         | a separate read, once a second                     |
| any other                                 | part of a batch of up to 512 names, which starts   |
|                                           | at once, but at least 20 ms after the last one     |

Operators are read in the same way as accounts and API keys, by a separate statement.

So unknown names cost the store at most 50 reads a second; client addresses are served round robin.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from parlour.operations.lookup_queue import LookupQueue
from parlour.resources.accounts import store as account_store
from parlour.resources.accounts.store import LoginSecret
from parlour.resources.operators import store as operator_store
from parlour.store.transaction import Unavailable
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import RETRY_AFTER, ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.resources.operators.store import OperatorSecret
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock


class CachedLogins(NamedTuple):
    """The secrets of one name, none if it is unknown, and when they expire."""

    until_ms: float
    secrets: Sequence[LoginSecret]


class LoginLookups:
    """The logins of names, cached for a second."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        # Separate caches: unknown names cannot evict known ones.
        self._known: OrderedDict[str, CachedLogins] = OrderedDict()
        self._unknown: OrderedDict[str, CachedLogins] = OrderedDict()
        # One future for each name that is being read or queued; requests share it.
        self._reading: dict[str, asyncio.Future[CachedLogins]] = {}
        self._waiting: dict[str, asyncio.Future[CachedLogins]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue = LookupQueue()
        self._draining: asyncio.Task[None] | None = None
        # The start of the last batch; the first one need not wait.
        self._read_ms = -float(limits.LOGIN_LOOKUP_PAUSE_MS)
        self._changes = 0
        self.reads = 0

    def evict(self, name: str) -> None:
        """Evict a name whose login was created or revoked."""
        self._known.pop(name, None)
        self._unknown.pop(name, None)
        # A read in flight may return the previous state, so it is not cached.
        self._changes += 1

    def evict_all(self) -> None:
        """Evict all names."""
        self._known.clear()
        self._unknown.clear()
        self._changes += 1

    def cached(self, name: str) -> CachedLogins | None:
        """Return the logins of a name, if they were read within a second."""
        found = self.last(name)
        is_usable = found is not None and found.until_ms > self._clock.monotonic_ms()
        return found if is_usable else None

    def last(self, name: str) -> CachedLogins | None:
        """Return the result of the last read of a name, which may be stale."""
        return self._known.get(name) or self._unknown.get(name)

    async def at_once(self, name: str) -> CachedLogins:
        """Return the logins of a name, read now if they are not cached."""
        found = self.cached(name)
        if found is not None:
            return found
        reading = self._reading.get(name)
        if reading is None:
            reading = asyncio.get_running_loop().create_future()
            self._reading[name] = reading
            # A separate task, because the client of the first request may disconnect.
            task = asyncio.create_task(self._read_one(name, reading))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(reading)

    async def _read_one(self, name: str, reading: asyncio.Future[CachedLogins]) -> None:
        try:
            await self._read([name], {name: reading})
        finally:
            del self._reading[name]

    async def in_turn(self, peer: str, name: str) -> CachedLogins:
        """Return the same, read in this address's turn. Raises 429 if the queue is full."""
        found = self.cached(name)
        if found is not None:
            return found
        if not self._queue.add(peer, name):
            raise ApiError(20429, headers=RETRY_AFTER)
        waiting = self._waiting.get(name)
        if waiting is None:
            waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        return await asyncio.shield(waiting)

    async def _drain(self) -> None:
        """Read the queued names in batches, at intervals, until the queue is empty."""
        try:
            while len(self._queue):
                delay = self._read_ms + limits.LOGIN_LOOKUP_PAUSE_MS - self._clock.monotonic_ms()
                await asyncio.sleep(max(0.0, delay) / 1000)
                self._read_ms = self._clock.monotonic_ms()
                taken = self._queue.take(limits.LOGIN_LOOKUP_NAMES_MAX)
                # The first turn of a name serves all addresses that requested it.
                futures = {name: self._waiting.pop(name) for name in taken if name in self._waiting}
                if futures:
                    await self._read(list(futures), futures)
        finally:
            self._draining = None

    async def _read(
        self, names: list[str], waiting: dict[str, asyncio.Future[CachedLogins]]
    ) -> None:
        """Read the logins of names, and set the result or the exception of each future."""
        self.reads += 1
        changes = self._changes
        try:
            if len(names) == 1:
                of_one = await self._store.read(
                    lambda tx: _secrets_of(tx, names[0]), single_statement=True
                )
                found = {names[0]: of_one}
            else:
                found = await self._store.read(lambda tx: _secrets_by_name(tx, names))
        except BaseException as error:
            for each in waiting.values():
                each.set_exception(error if isinstance(error, Exception) else Unavailable())
                each.exception()  # Retrieved here, as all waiters may be cancelled.
            if not isinstance(error, Exception):
                raise
            return
        until = self._clock.monotonic_ms() + limits.LOGIN_CACHE_MS_MAX
        for number, (name, each) in enumerate(waiting.items(), start=1):
            logins = CachedLogins(until, found.get(name, ()))
            if changes == self._changes:
                self._cache(name, logins)
            each.set_result(logins)
            if number % limits.LOGIN_LOOKUPS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _cache(self, name: str, logins: CachedLogins) -> None:
        self._known.pop(name, None)
        self._unknown.pop(name, None)
        cache = self._known if logins.secrets else self._unknown
        cache[name] = logins
        if len(cache) > limits.LOGINS_CACHED_MAX:
            cache.popitem(last=False)


async def _secrets_of(tx: Transaction, name: str) -> list[LoginSecret]:
    """Return the valid secrets of a name, by one statement."""
    if not name.startswith(sids.OPERATOR):
        return await account_store.find_login_secrets(tx, name)
    operator = await operator_store.operator_login(tx, name)
    return [] if operator is None else [_secret_of(operator)]


async def _secrets_by_name(tx: Transaction, names: list[str]) -> dict[str, list[LoginSecret]]:
    """Return the valid secrets of each name; unknown names have no entry."""
    of_accounts = [name for name in names if not name.startswith(sids.OPERATOR)]
    found = await account_store.find_login_secrets_by_name(tx, of_accounts)
    of_operators = [name for name in names if name.startswith(sids.OPERATOR)]
    for operator in await operator_store.operator_logins(tx, of_operators):
        found[operator.sid] = [_secret_of(operator)]
    return found


def _secret_of(operator: OperatorSecret) -> LoginSecret:
    return LoginSecret("", operator.secret_digest, "", "active", operator.role)
