"""Turns host names into addresses for egress, without letting one slow name hold up others."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from typing import TYPE_CHECKING, Protocol

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

    Several requests for a name share one look-up. Nothing is remembered afterwards.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Future[tuple[str, ...]]] = {}
        self._turns = asyncio.Semaphore(limits.RESOLUTIONS_MAX)

    async def __call__(self, name: str) -> Sequence[str]:
        """All addresses of the name. Raises OSError if it has none."""
        running = self._running.get(name)
        if running is None:
            running = asyncio.ensure_future(self._look_up(name))
            self._running[name] = running
            running.add_done_callback(functools.partial(self._forget, name))
        # Who is waiting may give up; the others still want the answer.
        return await asyncio.shield(running)

    def _forget(self, name: str, done: asyncio.Future[tuple[str, ...]]) -> None:
        del self._running[name]
        if not done.cancelled():
            # Mark the error as seen: everybody who waited may be gone by now.
            done.exception()

    async def _look_up(self, name: str) -> tuple[str, ...]:
        async with self._turns:
            loop = asyncio.get_running_loop()
            found: asyncio.Future[tuple[str, ...]] = loop.create_future()
            # A daemon, as a look-up cannot be interrupted and must not delay the exit.
            threading.Thread(
                target=_look_up_here, args=(name, loop, found), name="resolver", daemon=True
            ).start()
            return await found


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
