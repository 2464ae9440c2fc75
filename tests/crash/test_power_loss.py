"""The power is cut at every write and sync of a run: acknowledged changes are on disk."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest

from parlour.store.engines import DATABASE_NAME
from tests.crash.power_cuts import ImageResults, PowerCutRun, judge, states_of
from tests.crash.recorded_server import is_stored, record_first_start, record_work
from tests.crash.recording_disk import Record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.crash.recording_disk import DiskEvent

SEED = os.environ.get("PARLOUR_SEED")
STEPS = int(os.environ.get("PARLOUR_CUT_STEPS", "15"))
SURVIVALS = int(os.environ.get("PARLOUR_SURVIVALS", "2"))
IMAGES_MIN = 40 * STEPS * SURVIVALS
# Planted faults need few images: nearly each of them shows the fault.
PLANTED_FAULT_SURVIVALS = 1
PLANTED_FAULT_STEPS = 10


def cut(record: Record, survivals: int, seed: int) -> tuple[ImageResults, int]:
    """Cut the power at every event of a record; also return the number of its states."""

    async def run() -> tuple[ImageResults, int]:
        bench = PowerCutRun(DATABASE_NAME)
        try:
            states = await states_of(record, bench, is_stored)
            verdict = await judge(record, states, bench, random.Random(seed), survivals)
        finally:
            bench.close()
        print(f"seed {seed}: {verdict} {bench.different} different")
        return verdict, len(states.digests)

    return asyncio.run(run())


@pytest.fixture
def seed() -> int:
    """The seed of the workload and of the cuts, reproducible through pytest-randomly."""
    return int(SEED) if SEED else random.getrandbits(32)


@pytest.mark.timeout(900)
def test_power_cuts_lose_no_acknowledged_change(tmp_path: Path, seed: int) -> None:
    record = record_work(tmp_path, synchronous="FULL", steps=STEPS, seed=seed)

    verdict, states = cut(record, SURVIVALS, seed)

    assert verdict.bad == 0, f"seed {seed}: {verdict}"
    assert verdict.images >= IMAGES_MIN
    assert states > STEPS
    # Checkpoints were part of it, and the log was restarted after one.
    assert sum(event.kind == "write" and not event.offset for event in record.events) > 2


def test_state_of_a_late_response_is_that_of_its_commit(tmp_path: Path) -> None:
    record = record_work(tmp_path, synchronous="FULL", steps=8, seed=5)
    events = record.events
    marks = [number for number, event in enumerate(events) if event.kind == "mark"]
    # As if the response were sent while the next commit is written and not yet synced.
    # What the next commits change or delete is not a change that they leave in place.
    early = next(
        each
        for each, *later in zip(marks, marks[1:], marks[2:], marks[3:], strict=False)
        if events[each + 1].kind == "write"
        and events[each].mark[0].verb == "create"
        and all(events[other].mark[0].verb == "create" for other in later)
    )
    sync = next(each for each in range(early, len(events)) if events[each].kind == "sync")
    late = [*events[:early], *events[early + 1 : sync], events[early], *events[sync:]]

    async def oldest_of_marks(events: list[DiskEvent]) -> list[int]:
        bench = PowerCutRun(DATABASE_NAME)
        try:
            return (await states_of(Record(record.before, events), bench, is_stored)).of_marks
        finally:
            bench.close()

    assert asyncio.run(oldest_of_marks(late)) == asyncio.run(oldest_of_marks(events))


def test_a_power_cut_in_the_first_start_leaves_nothing_or_all_of_it(
    tmp_path: Path, seed: int
) -> None:
    verdict, _ = cut(record_first_start(tmp_path), PLANTED_FAULT_SURVIVALS, seed)

    assert verdict.bad == 0, f"seed {seed}: {verdict}"


def test_without_a_sync_at_each_commit_changes_are_lost(tmp_path: Path, seed: int) -> None:
    record = record_work(tmp_path, synchronous="NORMAL", steps=PLANTED_FAULT_STEPS, seed=seed)

    verdict, _ = cut(record, PLANTED_FAULT_SURVIVALS, seed)

    # The share depends on the positions of this run's checkpoints: a sixth to a half.
    assert verdict.lost > verdict.images / 10, verdict
    assert verdict.corrupt == 0, verdict


def test_without_any_sync_the_database_is_corrupt_or_changes_are_lost(
    tmp_path: Path, seed: int
) -> None:
    record = record_work(tmp_path, synchronous="OFF", steps=PLANTED_FAULT_STEPS, seed=seed)

    verdict, _ = cut(record, PLANTED_FAULT_SURVIVALS, seed)

    assert verdict.lost + verdict.corrupt > verdict.images / 2, verdict
    assert verdict.corrupt > 0, verdict
