"""Reads that several readers need at the same moment: each is made once.

Moments are numbers that never decrease. Only the reads of the last one are stored, so there are no
more of them than readers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

T = TypeVar("T")


class SharedReads(Generic[T]):
    """The reads of the last moment."""

    def __init__(self) -> None:
        self._moment = 0
        self._reads: dict[Hashable, asyncio.Task[T]] = {}

    @property
    def count(self) -> int:
        """The number of stored reads."""
        return len(self._reads)

    def clear(self) -> None:
        """Remove the reads; those in progress continue for their readers."""
        self._reads = {}

    async def read(
        self, moment: int, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """Return the result for a key as of a moment or later; raises what the read raises.

        A reader that is cancelled leaves the read to the others.
        """
        if moment > self._moment:
            self._moment, self._reads = moment, {}
        reading = self._reads.get(key)
        if reading is None:
            reading = self._reads[key] = asyncio.create_task(make())
            reading.add_done_callback(_take_exception)
        return await asyncio.shield(reading)


def _take_exception(reading: asyncio.Task[Any]) -> None:
    """Retrieve the exception of a read without readers."""
    if not reading.cancelled():
        reading.exception()
