"""Power cuts at every write and sync of a recorded run, checked against the states of the run.

During the recording each response sets a mark. Afterwards the disk at each mark and each sync,
with nothing lost, gives the states of the database. An image that a cut may leave is opened with
the real store, as after a restart; it must then be in exactly one of those states, and not in one
before the last response. A state is the content of all tables, so a partial change, or a row
without its event, matches no state of the run.
"""

from __future__ import annotations

import bisect
import hashlib
import marshal
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import FakeClock, SystemRandom
from tests.checkers.atomicity_checker import violations_in
from tests.crash.recording_disk import Disk, images

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from parlour.store.transaction import Transaction
    from tests.crash.recording_disk import DiskEvent, Image, Record

# The last version whose bytes depend on the values alone.
MARSHAL_VERSION = 2
MEMORY = Path("/dev/shm")  # noqa: S108 (an image needs no real disk)


@dataclass
class ImageResults:
    """The results for the images of one run."""

    images: int = 0
    lost: int = 0
    corrupt: int = 0
    strange: int = 0
    first: list[str] = field(default_factory=list)

    def count(self, kind: str, position: int, what: str) -> None:
        """Count one bad image, and store the first of each kind."""
        if getattr(self, kind) == 0:
            self.first.append(f"{kind}: a cut after event {position}: {what}")
        setattr(self, kind, getattr(self, kind) + 1)

    @property
    def bad(self) -> int:
        """Return the number of bad images."""
        return self.lost + self.corrupt + self.strange

    def __str__(self) -> str:
        """Return the metrics, and the first bad image of each kind."""
        return (
            f"{self.images} images, {self.lost} lost answers, {self.corrupt} corrupt, "
            f"{self.strange} in no state of the run. " + " ".join(self.first)
        )


class PowerCutRun:
    """A folder in memory in which one image at a time is started."""

    def __init__(self, database: str) -> None:
        base = MEMORY if MEMORY.is_dir() else None
        self._folder = Path(tempfile.mkdtemp(prefix="parlour-cut-", dir=base))
        # A restart on the same bytes has the same result: tried once.
        self._tried: dict[tuple[Any, ...], str | Exception] = {}
        self.path = self._folder / database

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder)

    async def state(self, image: Image) -> str:
        """Return a digest of all tables after a restart on an image; raise if it is corrupt."""
        if image.key not in self._tried:
            try:
                self._tried[image.key] = await self.restart(image)
            except Exception as error:  # A corrupt row may make the store itself fail.
                self._tried[image.key] = error
        result = self._tried[image.key]
        if isinstance(result, Exception):
            raise result
        return result

    @property
    def different(self) -> int:
        """Return the number of different images."""
        return len(self._tried)

    async def restart(self, image: Image) -> str:
        """Return the `state` of an image without a cache; the files stay in the folder."""
        for left in self._folder.iterdir():
            left.unlink()
        image.write_to(self._folder)
        store = SqliteStore(self.path, FakeClock(), SystemRandom())
        try:
            return await store.read(_digest)
        finally:
            await store.close()


async def _digest(tx: Transaction) -> str:
    verdict = await tx.all("PRAGMA integrity_check")
    if verdict != [("ok",)]:
        raise apsw.CorruptError(str(verdict[0]))
    digest = hashlib.sha256()
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    for (table,) in await tx.all(query):
        rows = await tx.all(f"SELECT * FROM {table}")
        digest.update(marshal.dumps((table, rows), MARSHAL_VERSION))
    return digest.hexdigest()


@dataclass
class States:
    """The states of a run, in order, with their positions."""

    positions: list[int] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    # The index of the state at each mark, in order.
    of_marks: list[int] = field(default_factory=list)
    places: dict[str, set[int]] = field(default_factory=dict)

    def add(self, position: int, digest: str) -> None:
        """Add the state at a position; an unchanged one is not added."""
        if not self.digests or self.digests[-1] != digest:
            self.positions.append(position)
            self.digests.append(digest)
            self.places.setdefault(digest, set()).add(len(self.digests) - 1)

    def judge(self, digest: str, position: int, marks: int) -> str | None:
        """Return None for a state that a cut may leave; else `lost` or `strange`."""
        oldest = self.of_marks[marks - 1] if marks else 0
        newest = bisect.bisect_left(self.positions, position)
        places = self.places.get(digest, set())
        if any(oldest <= place <= newest for place in places):
            return None
        return "lost" if any(place < oldest for place in places) else "strange"


async def states_of(
    record: Record, bench: PowerCutRun, is_stored: Callable[[Path, Any], bool]
) -> States:
    """Return the states of a run; each mark must contain its acknowledged change, complete."""
    states, disk = States(), Disk(record.before)
    before = disk.intact(-1)
    states.add(-1, await bench.restart(before))
    for position, event in enumerate(record.events):
        disk.run_scenario(event)
        if event.kind not in {"sync", "mark"}:
            continue
        image, known = disk.intact(position), len(states.digests)
        states.add(position, await bench.restart(image))
        if event.kind == "mark":
            assert is_stored(bench.path, event.mark), f"answered and not there: {event.mark}"
            wrong = next(violations_in(bench.path), None)
            assert wrong is None, wrong
            oldest = len(states.digests) - 1
            if oldest == known:
                # This state is new: it may be of the next commit, written before this response was
                # sent, not synced and not acknowledged. Nothing was synced since the image before.
                await bench.restart(before)
                oldest -= is_stored(bench.path, event.mark)
            states.of_marks.append(oldest)
        before = image
    return states


async def judge(
    record: Record, states: States, bench: PowerCutRun, rng: random.Random, survivals: int
) -> ImageResults:
    """Open the images of cuts after each event, and count the violations."""
    verdict = ImageResults()
    for image, marks in images(record, rng, survivals):
        verdict.images += 1
        try:
            digest = await bench.state(image)
        except Exception as error:
            verdict.count("corrupt", image.position, f"{type(error).__name__}: {error}")
            continue
        kind = states.judge(digest, image.position, marks)
        if kind is not None:
            verdict.count(kind, image.position, _around(record.events, image.position))
    return verdict


def _around(events: list[DiskEvent], position: int) -> str:
    """Describe the last events before a cut."""
    near = events[max(0, position - 3) : position + 1]
    return ", ".join(f"{event.kind} {event.name} {event.offset}" for event in near)
