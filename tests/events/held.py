"""The webhook intake of a server in the test's process, held back as far as a test wants."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parlour.delivery.webhooks import WebhookSink
    from parlour.vocabulary.events import Event
    from tests.events.house import House

RETRY_SECONDS = 0.005
HELD_SECONDS_MAX = 0.2


class IntakeHeld(Exception):  # noqa: N818 - named after the condition.
    """The intake may not go on: the dispatcher tries again soon."""


class HeldIntake:
    """Lets the intake pass so many events, or all of them.

    What it is given is only tried again, as after any failure: an event may be taken twice.
    """

    def __init__(self, house: House) -> None:
        """Hold the intake of a server that is about to be started."""
        dispatcher = house.app.dispatcher
        dispatcher._retry_seconds = RETRY_SECONDS
        (lane,) = (each for each in dispatcher._lanes if each.sink.name == "webhooks")
        sink: WebhookSink = lane.sink  # type: ignore[assignment]
        self._take_all = sink.take
        sink.take = self._take  # type: ignore[method-assign]
        self._passed = 0
        self._room: int | None = 0
        self._moved = asyncio.Event()

    def pass_events(self, count: int) -> None:
        """Let the intake pass some more events."""
        if self._room is not None:
            self._room += count
            self._moved.set()

    def release(self) -> None:
        """Let it pass all."""
        self._room = None
        self._moved.set()

    async def _take(self, found: list[Event]) -> bool:
        if self._room is None:
            return await self._take_all(found)
        new = [each for each in found if each.sequence > self._passed][: self._room]
        if not new:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), HELD_SECONDS_MAX)
            self._moved.clear()
            raise IntakeHeld
        taken = [each for each in found if each.sequence <= new[-1].sequence]
        await self._take_all(taken)
        self._passed = new[-1].sequence
        self._room -= len(new)
        if len(taken) < len(found):
            raise IntakeHeld
        return False
