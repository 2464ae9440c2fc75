"""Evictions from the cache of signing settings."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from parlour.delivery.attempts import SigningCache, SigningSettings
from parlour.protocol.vault import Vault
from parlour.vocabulary.clock import FakeClock, SystemRandom

VAULT = Vault(bytes(32), SystemRandom().token)


def test_one_account_or_all_are_evicted() -> None:
    loaded: list[int] = []

    async def read(_work: Any) -> SigningSettings:
        loaded.append(1)
        return SigningSettings("t", "durable", clock.monotonic_ms())

    clock = FakeClock()
    store: Any = SimpleNamespace(read=read)

    async def scenario() -> None:
        cache = SigningCache(store, VAULT, clock, "durable")
        for _ in range(2):
            await cache.get("AC1")
        assert len(loaded) == 1
        cache.evict_all()
        await cache.get("AC1")
        cache.evict("AC2")
        await cache.get("AC1")
        assert len(loaded) == 2
        cache.evict("AC1")
        await cache.get("AC1")
        assert len(loaded) == 3

    asyncio.run(scenario())
