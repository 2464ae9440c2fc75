"""Reads that several readers need at the same moment: made once, and stored for that moment."""

from __future__ import annotations

import asyncio

import pytest

from parlour.http.shared_reads import SharedReads


def test_readers_of_one_moment_share_a_read() -> None:
    made: list[str] = []

    async def read() -> str:
        made.append("read")
        await asyncio.sleep(0)
        return "events"

    async def scene() -> None:
        reads: SharedReads[str] = SharedReads()
        assert (
            await asyncio.gather(*(reads.read(1, "all", read) for _ in range(5))) == ["events"] * 5
        )
        assert len(made) == 1
        # Another key, and a later moment.
        await reads.read(1, "some", read)
        await reads.read(2, "all", read)
        assert len(made) == 3
        # A reader that is late gets the result of the later moment.
        await reads.read(1, "all", read)
        assert len(made) == 3

    asyncio.run(scene())


def test_only_reads_of_the_last_moment_are_stored() -> None:
    async def read() -> str:
        return "events"

    async def scene() -> None:
        reads: SharedReads[str] = SharedReads()
        for moment in range(1, 100):
            await reads.read(moment, f"filter {moment}", read)
            assert reads.count == 1
        reads.clear()
        assert reads.count == 0

    asyncio.run(scene())


def test_a_failure_reaches_each_reader_and_a_cancelled_one_leaves_the_read() -> None:
    async def refuse() -> str:
        await asyncio.sleep(0)
        raise ValueError("refused")

    async def scene() -> None:
        reads: SharedReads[str] = SharedReads()
        first, second = (asyncio.create_task(reads.read(1, "all", refuse)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(ValueError, match="refused"):
            await second
        assert first.cancelled()

    asyncio.run(scene())
