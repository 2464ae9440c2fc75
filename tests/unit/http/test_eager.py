"""Handlers that start eagerly, and continue in a task if they have to wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import uvloop

from parlour.http.eager import run_eagerly

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    Run = Callable[[Coroutine[object, object, None]], None]

pytestmark = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])


async def record(done: list[object], *awaited: Awaitable[object]) -> None:
    """Await each in turn, and record its result."""
    done.append("begun")
    for each in awaited:
        try:
            done.append(await each)
        except (ValueError, asyncio.CancelledError) as error:
            done.append(type(error).__name__)
    done.append("ended")


def test_work_that_never_waits_has_ended_at_once(run: Run) -> None:
    async def begin() -> None:
        done: list[object] = []
        assert run_eagerly(asyncio.get_running_loop(), record(done)) is None
        assert done == ["begun", "ended"]

    run(begin())


def test_work_continues_with_awaited_results_and_errors(run: Run) -> None:
    async def begin() -> None:
        loop = asyncio.get_running_loop()
        done: list[object] = []
        early, late, failed = (loop.create_future() for _ in range(3))
        work = record(done, early, late, failed, asyncio.sleep(0, "slept"))
        task = run_eagerly(loop, work)
        assert task is not None
        early.set_result("early")  # Before the task has started.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert done == ["begun", "early"]
        late.set_result("late")
        failed.set_exception(ValueError())
        await task
        assert done == ["begun", "early", "late", "ValueError", "slept", "ended"]

    run(begin())


def test_cancelled_work_sees_it(run: Run) -> None:
    async def begin() -> None:
        loop = asyncio.get_running_loop()
        done: list[object] = []
        task = run_eagerly(loop, record(done, loop.create_future()))
        assert task is not None
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert done == ["begun", "CancelledError", "ended"]

    run(begin())


def test_an_error_of_the_work_is_the_tasks(run: Run) -> None:
    async def fail(after: asyncio.Future[None]) -> None:
        await after
        raise ValueError

    async def begin() -> None:
        loop = asyncio.get_running_loop()
        after: asyncio.Future[None] = loop.create_future()
        task = run_eagerly(loop, fail(after))
        assert task is not None
        after.set_result(None)
        with pytest.raises(ValueError):
            await task

    run(begin())
