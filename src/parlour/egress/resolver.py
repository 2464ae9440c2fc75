"""Resolves host names for egress, so that a slow name does not delay others."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from typing import TYPE_CHECKING, Protocol

from parlour.egress.request_slots import RequestSlots
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Sequence


class Resolve(Protocol):
    """Resolves a host name to addresses, as texts; raises OSError without any."""

    async def __call__(self, name: str) -> Sequence[str]:
        """Return all addresses of the name, in the order to try them."""
        ...


class SystemResolver:
    """The resolver of the operating system, with a thread for each lookup.

    Concurrent requests of an account for the same name share one lookup. Results are not cached.
    """

    # getaddrinfo cannot be interrupted and may block for minutes, so the threads are slots that
    # accounts share: hanging names of one account occupy at most half of them. asyncio's executor
    # is not used, because it is shared with all other blocking calls and joined at exit.

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], asyncio.Future[tuple[str, ...]]] = {}
        self._slots = RequestSlots(limits.RESOLUTIONS_MAX)

    async def __call__(self, name: str, account_sid: str = "") -> Sequence[str]:
        """Return all addresses. Raises OSError if there are none, or no thread is free."""
        key = (account_sid, name)
        running = self._running.get(key)
        if running is None:
            running = asyncio.ensure_future(self._look_up(name, account_sid))
            self._running[key] = running
            running.add_done_callback(functools.partial(self._remove_running, key))
        # Shielded: one waiter may time out while others still need the result.
        return await asyncio.shield(running)

    def _remove_running(self, key: tuple[str, str], done: asyncio.Future[tuple[str, ...]]) -> None:
        del self._running[key]
        if not done.cancelled():
            # Mark the error as retrieved: all waiters may have timed out.
            done.exception()

    async def _look_up(self, name: str, account_sid: str) -> tuple[str, ...]:
        # All waiters have timed out by then. TimeoutError is an OSError.
        slot = await self._slots.acquire(account_sid, name, limits.WEBHOOK_SECONDS_MAX * 1000)
        try:
            loop = asyncio.get_running_loop()
            found: asyncio.Future[tuple[str, ...]] = loop.create_future()
            # A daemon thread, since a lookup cannot be interrupted and must not delay the exit.
            threading.Thread(
                target=_look_up_here, args=(name, loop, found), name="resolver", daemon=True
            ).start()
            return await found
        finally:
            self._slots.release(slot)


def _look_up_here(
    name: str, loop: asyncio.AbstractEventLoop, found: asyncio.Future[tuple[str, ...]]
) -> None:
    outcome: tuple[str, ...] | OSError
    try:
        rows = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
        outcome = tuple(dict.fromkeys(str(row[4][0]) for row in rows))
    except OSError as error:
        outcome = error
    except Exception as error:  # noqa: BLE001 - the waiters must get every error.
        outcome = OSError(str(error))

    def set_outcome() -> None:
        if found.done():
            return
        if isinstance(outcome, OSError):
            found.set_exception(outcome)
        else:
            found.set_result(outcome)

    # The event loop may be closed by now; then there are no waiters.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(set_outcome)
