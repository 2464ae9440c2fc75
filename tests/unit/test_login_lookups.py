"""Lookups of unknown logins beyond the queue's limit: 429 with a Retry-After."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parlour.operations.lookup_queue import LookupQueue
from parlour.resources.accounts.login_lookups import LoginLookups
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.errors import RETRY_AFTER, ApiError


class HangingStore:
    """A store whose reads do not end."""

    async def read(self, *_: Any, **__: Any) -> None:
        await asyncio.Event().wait()


@pytest.mark.promise("LOGIN_LOOKUPS_WAITING_MAX", 429)
def test_a_name_behind_a_full_queue_is_refused_with_429() -> None:
    async def scenario() -> None:
        store: Any = HangingStore()
        lookups = LoginLookups(store, FakeClock())
        lookups._queue = LookupQueue(waiting_max=2)
        # The first read takes them from the queue and hangs; the next ones wait behind it.
        first = asyncio.create_task(lookups.in_turn("198.18.0.1", "AC0"))
        for _ in range(10):
            await asyncio.sleep(0)
        waiting = [
            asyncio.create_task(lookups.in_turn("198.18.0.1", f"AC{number}")) for number in (1, 2)
        ]
        for _ in range(10):
            await asyncio.sleep(0)
        assert not any(each.done() for each in (first, *waiting))
        with pytest.raises(ApiError) as caught:
            await lookups.in_turn("198.18.0.1", "AC3")
        assert (caught.value.status, caught.value.code) == (429, 20429)
        assert caught.value.headers == RETRY_AFTER
        assert lookups._draining is not None
        for each in (first, *waiting, lookups._draining):
            each.cancel()
        await asyncio.gather(first, *waiting, lookups._draining, return_exceptions=True)

    asyncio.run(scenario())
