"""Turns host names into addresses for egress, without letting one slow name hold up others."""

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
    """How a host name becomes addresses, as texts; raises OSError if it does not."""

    async def __call__(self, name: str) -> Sequence[str]:
        """All addresses of the name, in the order to try them."""
        ...


class SystemResolver:
    """The system's own resolver, each look-up in a thread of its own.

    Several requests of an account for a name share one look-up. Nothing is remembered afterwards.
    A look-up cannot be interrupted and may take long, so accounts share the threads: the names of
    one that hang take half of them at most.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], asyncio.Future[tuple[str, ...]]] = {}
        self._turns = RequestSlots(limits.RESOLUTIONS_MAX)

    async def __call__(self, name: str, account_sid: str = "") -> Sequence[str]:
        """All addresses of the name. Raises OSError if it has none, or no thread is free."""
        key = (account_sid, name)
        running = self._running.get(key)
        if running is None:
            running = asyncio.ensure_future(self._look_up(name, account_sid))
            self._running[key] = running
            running.add_done_callback(functools.partial(self._forget, key))
        # Who is waiting may give up; the others still want the answer.
        return await asyncio.shield(running)

    def _forget(self, key: tuple[str, str], done: asyncio.Future[tuple[str, ...]]) -> None:
        del self._running[key]
        if not done.cancelled():
            # Mark the error as seen: everybody who waited may be gone by now.
            done.exception()

    async def _look_up(self, name: str, account_sid: str) -> tuple[str, ...]:
        # All waiters have timed out by then. TimeoutError is an OSError.
        turn = await self._turns.acquire(account_sid, name, limits.WEBHOOK_SECONDS_MAX * 1000)
        try:
            loop = asyncio.get_running_loop()
            found: asyncio.Future[tuple[str, ...]] = loop.create_future()
            # A daemon, as a look-up cannot be interrupted and must not delay the exit.
            threading.Thread(
                target=_look_up_here, args=(name, loop, found), name="resolver", daemon=True
            ).start()
            return await found
        finally:
            self._turns.release(turn)


def _look_up_here(
    name: str, loop: asyncio.AbstractEventLoop, found: asyncio.Future[tuple[str, ...]]
) -> None:
    outcome: tuple[str, ...] | OSError
    try:
        rows = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
        outcome = tuple(dict.fromkeys(str(row[4][0]) for row in rows))
    except OSError as error:
        outcome = error
    except Exception as error:  # noqa: BLE001 - who waits has to hear of anything.
        outcome = OSError(str(error))

    def tell() -> None:
        if found.done():
            return
        if isinstance(outcome, OSError):
            found.set_exception(outcome)
        else:
            found.set_result(outcome)

    # A loop that was closed meanwhile has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(tell)
