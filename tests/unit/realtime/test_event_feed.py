"""The start and the stop of the event feed."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from parlour.realtime.event_feed import EventFeed
from parlour.realtime.hub import Hub
from parlour.realtime.last_changed import LastChanged
from parlour.store import event_log
from parlour.store.transaction import Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom

if TYPE_CHECKING:
    from collections.abc import Callable

POSITION = 100
"""The last event in the log."""
TURNS = 20
"""Turns of the event loop in which everything that is ready has run."""


class QuietLog:
    """A store without new events, which may be unavailable."""

    def __init__(self) -> None:
        self.is_available = True
        self.starts = 0

    async def read(self, work: Any, **_options: Any) -> Any:
        is_start = work is event_log.visible_through
        self.starts += is_start
        await asyncio.sleep(0)
        if not self.is_available:
            raise Unavailable("down")
        return POSITION if is_start else []


class Scene:
    """An event feed and its collaborators."""

    def __init__(self) -> None:
        self.log = QuietLog()
        self.clock = FakeClock()
        self.last_changed = LastChanged()
        self.feed = EventFeed(
            self.log,  # type: ignore[arg-type]
            Hub(SystemRandom(), self.clock),
            self.last_changed,
            self.clock,
            on_rights_changed=lambda _event: None,
        )

    async def let_feed_run(self) -> None:
        self.feed.wake()
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def started(self) -> asyncio.Task[None]:
        """Return a task that ensures that the feed runs, done or waiting in vain."""
        task = asyncio.create_task(self.feed.ensure_running())
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return task


def run(scenario: Callable[[Scene], Any]) -> None:
    async def in_scene() -> None:
        scene = Scene()
        try:
            await scenario(scene)
        finally:
            await scene.feed.stop()

    asyncio.run(in_scene())


def test_a_failed_start_fails_every_waiter() -> None:
    async def scenario(scene: Scene) -> None:
        scene.log.is_available = False
        waiters = [asyncio.create_task(scene.feed.ensure_running()) for _ in range(2)]
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert all(waiter.done() for waiter in waiters)
        for waiter in waiters:
            with pytest.raises(Unavailable):
                await waiter
        assert scene.log.starts == 1
        assert not scene.feed.is_running

    run(scenario)


def test_the_feed_starts_after_a_failed_start() -> None:
    async def scenario(scene: Scene) -> None:
        scene.log.is_available = False
        failed = await scene.started()
        scene.log.is_available = True
        started = await scene.started()
        assert failed.done()
        assert isinstance(failed.exception(), Unavailable)
        assert started.done()
        assert started.exception() is None
        assert scene.feed.is_running
        assert scene.last_changed.position == POSITION

    run(scenario)


def test_a_failed_start_without_waiters_is_not_reported_as_lost() -> None:
    async def scenario(scene: Scene) -> None:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: reported.append(context)
        )
        scene.log.is_available = False
        waiter = asyncio.create_task(scene.feed.ensure_running())
        await asyncio.sleep(0)
        waiter.cancel()
        await scene.let_feed_run()
        scene.log.is_available = True
        # Replaces the future of the failed start.
        assert (await scene.started()).done()
        gc.collect()
        assert reported == []

    run(scenario)


def test_an_idle_feed_does_not_stop_while_a_session_is_opened() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.feed.ensure_running()
        await scene.let_feed_run()
        scene.clock.advance(limits.FEED_IDLE_MS + 1)
        await scene.feed.ensure_running()
        await scene.let_feed_run()
        assert scene.feed.is_running
        scene.clock.advance(limits.FEED_IDLE_MS + 1)
        await scene.let_feed_run()
        assert not scene.feed.is_running

    run(scenario)
