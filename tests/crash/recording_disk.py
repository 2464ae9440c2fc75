"""A recording disk: records SQLite's writes, and makes the images that a power cut may leave.

Theory. A write is durable once its file has been synced; until then the disk may hold it, hold
parts of it (a sector of 512 bytes is the smallest atomic unit), or not, in any combination and
order. A name in a directory is durable once the directory has been synced: SQLite's own file system
layer does so at the first sync of a journal or write-ahead log. The recorder sits between SQLite
and its files as an APSW VFS and records every write, truncation, sync, creation and deletion.
Replayed, the record gives the state of the disk after each of these events: synced data is
retained, each unsynced chunk survives or not at random.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import apsw

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

SECTOR_BYTES = 512
JOURNAL_FLAGS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL

Kind = Literal["create", "write", "truncate", "sync", "sync_directory", "delete", "mark"]


@dataclass(frozen=True, slots=True)
class DiskEvent:
    """One operation on the disk, or a mark that its user set between two of them."""

    kind: Kind
    name: str
    offset: int = 0
    content: bytes = b""
    mark: Any = None
    _sectors: list[DiskEvent] = field(default_factory=list, compare=False, repr=False)

    @property
    def sectors(self) -> list[DiskEvent]:
        """Split a write into one write per sector; return the same objects each time."""
        start = 0
        while len(self._sectors) == 0 or start:
            # Sectors are aligned on the disk, not in the write.
            end = start + SECTOR_BYTES - (self.offset + start) % SECTOR_BYTES
            part = DiskEvent("write", self.name, self.offset + start, self.content[start:end])
            self._sectors.append(part)
            start = end if end < len(self.content) else 0
        return self._sectors


@dataclass(frozen=True, slots=True)
class Image:
    """The content of the disk after a power cut at the event at `position`.

    It consists of the durable data and of the chunks that survived, and must be used before the
    disk replays its next event. Two images with the same `key` are equal.
    """

    position: int
    key: tuple[Any, ...]
    safe: dict[str, bytearray]
    chunks: dict[str, list[DiskEvent]]

    def write_to(self, folder: Path) -> None:
        """Write the image's files into an empty folder."""
        for name, safe in self.safe.items():
            content = bytearray(safe)
            for chunk in self.chunks[name]:
                _apply(content, chunk)
            (folder / name).write_bytes(content)


class RecordingFile(apsw.VFSFile):
    """A file of the recorder: forwards all calls, and records changes of the disk."""

    def __init__(self, recorder: RecordingVfs, filename: Any, flags: list[int]) -> None:
        path = filename.filename() if isinstance(filename, apsw.URIFilename) else filename
        self._events = recorder.events
        # A file without a name is SQLite's scratch space: any crash removes it.
        self._name = Path(path).name if path else ""
        self._owes_directory_sync = bool(flags[0] & JOURNAL_FLAGS)
        if self._name and recorder.is_new(Path(path)):
            self._events.append(DiskEvent("create", self._name))
        super().__init__("", filename, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 (APSW's name)
        """Write bytes, unsynced until `xSync`."""
        if self._name:
            self._events.append(DiskEvent("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 (APSW's name)
        """Truncate the file, unsynced until `xSync`."""
        if self._name:
            self._events.append(DiskEvent("truncate", self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 (APSW's name)
        """Make the file durable, and with it a new journal's name."""
        super().xSync(flags)
        if self._name:
            self._events.append(DiskEvent("sync", self._name))
            if self._owes_directory_sync:
                self._owes_directory_sync = False
                self._events.append(DiskEvent("sync_directory", ""))


class RecordingVfs(apsw.VFS):
    """A VFS for SQLite that records; connections open it by `name`."""

    _numbers = itertools.count(1)

    def __init__(self) -> None:
        self.events: list[DiskEvent] = []
        self._opened: set[str] = set()
        self.name = f"recorder-{os.getpid()}-{next(self._numbers)}"
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> RecordingFile:  # noqa: N802 (APSW's name)
        """Return a recording file."""
        return RecordingFile(self, name, flags)

    def is_new(self, path: Path) -> bool:
        """Return whether a file was created since the record started, such as the database."""
        is_first = path.name not in self._opened
        self._opened.add(path.name)
        return not path.exists() or (is_first and path.stat().st_size == 0)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 (APSW's name)
        """Delete a name, unsynced unless `syncdir` is set."""
        super().xDelete(filename, syncdir)
        self.events.append(DiskEvent("delete", Path(filename).name))
        if syncdir:
            self.events.append(DiskEvent("sync_directory", ""))

    def mark(self, mark: Any) -> None:
        """Record a response to the disk's user, in the order of the disk's events."""
        self.events.append(DiskEvent("mark", "", mark=mark))


@dataclass(slots=True)
class _DiskFile:
    """One file: its durable bytes, and the changes since its last sync."""

    safe: bytearray
    unsafe: list[DiskEvent] = field(default_factory=list)
    number: int = field(default_factory=itertools.count(1).__next__)


class Disk:
    """The state of the recorded disk while its events are replayed one by one.

    `before` is its content at the start of the record, all of it durable.
    """

    def __init__(self, before: dict[str, bytes]) -> None:
        self._files = {name: _DiskFile(bytearray(content)) for name, content in before.items()}
        self._safe_names = dict(self._files)
        self._unsafe_names: list[DiskEvent] = []
        self._syncs = 0

    def run_scenario(self, event: DiskEvent) -> None:
        """Apply the next event."""
        match event.kind:
            case "create":
                self._files[event.name] = _DiskFile(bytearray())
                self._unsafe_names.append(event)
            case "delete":
                self._files.pop(event.name, None)
                self._unsafe_names.append(event)
            case "write" | "truncate":
                self._files[event.name].unsafe.append(event)
            case "sync":
                self._syncs += 1
                file = self._files[event.name]
                for change in file.unsafe:
                    _apply(file.safe, change)
                file.unsafe.clear()
            case "sync_directory":
                self._syncs += 1
                self._safe_names = dict(self._files)
                self._unsafe_names.clear()
            case "mark":
                pass

    def image(self, position: int, rng: random.Random) -> Image:
        """Return one of the images that a power cut now may leave."""
        survives = _survival(rng)
        names = self._names(survives)
        chunks = {
            name: [chunk for chunk in _chunks(file.unsafe, torn=survives.torn) if survives()]
            for name, file in names.items()
        }
        return self._image(position, names, chunks)

    def intact(self, position: int) -> Image:
        """Return the disk without a power cut: nothing is lost."""
        chunks = {name: list(file.unsafe) for name, file in self._files.items()}
        return self._image(position, self._files, chunks)

    def _image(
        self, position: int, names: dict[str, _DiskFile], chunks: dict[str, list[DiskEvent]]
    ) -> Image:
        # Between two syncs the surviving chunks identify an image: its bytes need not be read.
        parts = tuple(
            (name, names[name].number, *map(id, survivors))
            for name, survivors in sorted(chunks.items())
        )
        safe = {name: file.safe for name, file in names.items()}
        return Image(position, (self._syncs, parts), safe, chunks)

    def is_all_safe(self) -> bool:
        """Return whether a power cut now can leave only one image."""
        return not self._unsafe_names and not any(file.unsafe for file in self._files.values())

    def _names(self, survives: _Survival) -> dict[str, _DiskFile]:
        """Return the names in the directory after the cut."""
        names = dict(self._safe_names)
        for change in self._unsafe_names:
            if not survives():
                continue
            if change.kind == "delete":
                names.pop(change.name, None)
            elif change.name in self._files:
                names[change.name] = self._files[change.name]
        return names


class _Survival:
    """The random choices of one cut: called once for each unsynced chunk."""

    def __init__(self, rng: random.Random, chance: float, after: int, *, torn: bool) -> None:
        self._rng = rng
        self._chance = chance
        self._in_order = after
        self.torn = torn

    def __call__(self) -> bool:
        """Return whether the next unsynced chunk reached the disk."""
        if self._in_order > 0:
            self._in_order -= 1
            return True
        return self._rng.random() < self._chance


def _survival(rng: random.Random) -> _Survival:
    """Return one cut: some retain nearly all, some nearly nothing, some the first chunks."""
    chance = rng.choice((0.0, 0.1, 0.5, 0.5, 0.9, 1.0))
    after = rng.choice((0, 0, rng.randrange(64)))
    return _Survival(rng, chance, after, torn=rng.random() < 0.5)


def _chunks(changes: list[DiskEvent], *, torn: bool) -> Iterator[DiskEvent]:
    """Yield the unsynced data in units that the disk may retain: changes, or sectors."""
    for change in changes:
        if torn and change.kind == "write":
            yield from change.sectors
        else:
            yield change


def _apply(content: bytearray, change: DiskEvent) -> None:
    """Apply one write or truncation to the bytes of a file; a gap reads as zeros."""
    if change.kind == "truncate":
        del content[change.offset :]
        return
    missing = change.offset - len(content)
    if missing > 0:
        content.extend(bytes(missing))
    content[change.offset : change.offset + len(change.content)] = change.content


@dataclass(frozen=True, slots=True)
class Record:
    """The history of a disk: its initial files, and every event since."""

    before: dict[str, bytes]
    events: list[DiskEvent]


def images(record: Record, rng: random.Random, survivals: int) -> Iterator[tuple[Image, int]]:
    """Yield the different images of a cut after each event, with the number of marks before it."""
    disk = Disk(record.before)
    marks = 0
    for position, event in enumerate(record.events):
        disk.run_scenario(event)
        marks += event.kind == "mark"
        seen: set[tuple[Any, ...]] = set()
        for _ in range(1 if disk.is_all_safe() else survivals):
            image = disk.image(position, rng)
            if image.key not in seen:
                seen.add(image.key)
                yield image, marks
