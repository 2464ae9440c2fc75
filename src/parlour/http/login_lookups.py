"""Reads logins from the store, so that those who guess cannot keep it busy.

| who asks                                  | what it costs                                      |
|-------------------------------------------|----------------------------------------------------|
| a name that was read within a second      | no read, whether the name is known or not          |
| a login that is known to be right         | a read of its own, once a second                   |
| anything else                             | a share of a read for up to 64 names, which        |
|                                           | begins at once, but not within 20 ms of the last   |

So unknown names cost the store 50 reads a second, however many there are; addresses take turns.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from parlour.operations.lookup_queue import LookupQueue
from parlour.resources.accounts import store as accounts
from parlour.store.transaction import Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.resources.accounts.store import Admitted
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock


class Logins(NamedTuple):
    """The secrets of one name, none if it is unknown, and until when they may be used."""

    until_ms: float
    admitted: Sequence[Admitted]


class LoginLookups:
    """The logins of names, cached for a second."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        # Apart, so that names that somebody makes up push out nothing but each other.
        self._known: OrderedDict[str, Logins] = OrderedDict()
        self._unknown: OrderedDict[str, Logins] = OrderedDict()
        # One for each name that is being read, or waits for it; several requests may share it.
        self._reading: dict[str, asyncio.Future[Logins]] = {}
        self._waiting: dict[str, asyncio.Future[Logins]] = {}
        self._queue = LookupQueue()
        self._draining: asyncio.Task[None] | None = None
        # Of the last queued read; the first one need not wait.
        self._read_ms = -float(limits.LOGIN_LOOKUP_PAUSE_MS)
        self._changes = 0
        self.reads = 0

    def forget(self, name: str) -> None:
        """A login of this name was made or revoked: the store is asked next time."""
        self._known.pop(name, None)
        self._unknown.pop(name, None)
        # What is being read now may be of before.
        self._changes += 1

    def cached(self, name: str) -> Logins | None:
        """The logins of a name, if they were read within a second."""
        found = self._known.get(name) or self._unknown.get(name)
        is_usable = found is not None and found.until_ms > self._clock.monotonic_ms()
        return found if is_usable else None

    async def at_once(self, name: str) -> Logins:
        """The logins of a name, read now if they are not cached."""
        found = self.cached(name)
        if found is not None:
            return found
        reading = self._reading.get(name)
        if reading is None:
            reading = asyncio.get_running_loop().create_future()
            self._reading[name] = reading
            try:
                await self._read([name], {name: reading})
            finally:
                del self._reading[name]
        return await asyncio.shield(reading)

    async def in_turn(self, peer: str, name: str) -> Logins:
        """The same, read when it is this address's turn. Raises 429 if too many names wait."""
        found = self.cached(name)
        if found is not None:
            return found
        if not self._queue.add(peer, name):
            raise ApiError(20429, headers={"Retry-After": str(limits.RETRY_AFTER_SECONDS)})
        waiting = self._waiting.get(name)
        if waiting is None:
            waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        return await asyncio.shield(waiting)

    async def _drain(self) -> None:
        """Read what waits, with pauses, until nothing does."""
        try:
            while len(self._queue):
                pause = self._read_ms + limits.LOGIN_LOOKUP_PAUSE_MS - self._clock.monotonic_ms()
                await asyncio.sleep(max(0.0, pause) / 1000)
                self._read_ms = self._clock.monotonic_ms()
                taken = self._queue.take(limits.LOGIN_LOOKUP_NAMES_MAX)
                # Of a name that several addresses asked for, the first turn is for all of them.
                wanted = {name: self._waiting.pop(name) for name in taken if name in self._waiting}
                if wanted:
                    await self._read(list(wanted), wanted)
        finally:
            self._draining = None

    async def _read(self, names: list[str], waiting: dict[str, asyncio.Future[Logins]]) -> None:
        """Read the logins of names, and give them, or what went wrong, to those who wait."""
        self.reads += 1
        changes = self._changes
        try:
            if len(names) == 1:
                of_one = await self._store.read(
                    lambda tx: accounts.admitted(tx, names[0]), asks_once=True
                )
                found = {names[0]: of_one}
            else:
                found = await self._store.read(lambda tx: accounts.admitted_each(tx, names))
        except BaseException as error:
            for each in waiting.values():
                each.set_exception(error if isinstance(error, Exception) else Unavailable())
                each.exception()  # Those who waited may have gone.
            if not isinstance(error, Exception):
                raise
            return
        until = self._clock.monotonic_ms() + limits.LOGIN_REMEMBERED_MS_MAX
        for name, each in waiting.items():
            logins = Logins(until, found.get(name, ()))
            if changes == self._changes:
                self._remember(name, logins)
            each.set_result(logins)

    def _remember(self, name: str, logins: Logins) -> None:
        self._known.pop(name, None)
        self._unknown.pop(name, None)
        cache = self._known if logins.admitted else self._unknown
        cache[name] = logins
        if len(cache) > limits.LOGINS_REMEMBERED_MAX:
            cache.popitem(last=False)
