"""Eager execution of coroutines, as Python 3.12's eager tasks.

A read from the embedded store never blocks, and a task would cost it a tenth of its time. So such a
request runs in the callback that starts it; if it blocks after all (a large response to a slow
client), a task continues it.

Until then `asyncio.current_task` is None, so code before the first await must not use
`asyncio.timeout`. Only the embedded store guarantees that.
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
    """Run a coroutine until it blocks; return the task that continues it, None if it ended."""
    # An exception of the coroutine propagates to the caller here, as no task stores it.
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    return loop.create_task(_continue(work, awaited))


async def _continue(work: Coroutine[Any, Any, None], awaited: Any) -> None:
    await _wait(work, awaited)


@coroutine
def _wait(work: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Await on behalf of the coroutine, and send it each result or exception."""
    while True:  # Ends with the coroutine.
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
