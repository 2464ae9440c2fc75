"""Lets a request begin: as a task, or at once.

What reads from the embedded store waits for nothing, so a task, which the loop would run a moment
later, costs it a tenth of its time. Such a request runs where it begins; if it has to wait after
all (its answer is large, and the client slow), a task goes on with it.

Until then `asyncio.current_task` is None, so nothing that it calls before it waits may use
`asyncio.timeout`. That is true of the embedded store alone.
"""

from __future__ import annotations

from types import coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Generator


def run_eagerly(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]
) -> asyncio.Task[None] | None:
    """Run work until it waits; return the task that goes on with it, None if it has ended."""
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    return loop.create_task(_go_on(work, awaited))


async def _go_on(work: Coroutine[Any, Any, None], awaited: Any) -> None:
    await _wait(work, awaited)


@coroutine
def _wait(work: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Wait for what the work waits for, and hand it what comes of that."""
    while True:  # Ends with the work.
        error: BaseException | None = None
        result = None
        try:
            result = yield awaited
        except BaseException as raised:  # noqa: BLE001 - it is the work's to handle.
            error = raised
        try:
            awaited = work.send(result) if error is None else work.throw(error)
        except StopIteration:
            return
