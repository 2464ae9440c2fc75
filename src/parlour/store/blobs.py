"""Where the bytes of media are: immutable blobs beside the database, each under its own sid.

A blob is written piece by piece under a name that nobody reads. When it is whole it is synced and
gets its own name, and only then may a row be committed that names it: there is never a row without
its blob. Its first name stays until the row is on disk. So what a crash leaves behind, be it half
a blob or a whole one without a row, is found among the first names, which are few, and never by
looking through all blobs.

All work on files is done in threads, and the event loop waits for none of it. An error of the disk
while a blob is written becomes ``Unavailable``: nothing was kept, and nothing is tried twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from parlour.store.transaction import Unavailable, assert_outside_transaction
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

T = TypeVar("T")

_UNFINISHED: Final = "incoming"
_FOLDER_DIGITS: Final = slice(2, 4)
_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


class BlobKey(NamedTuple):
    """What a blob is called: whose it is, and the sid of its row."""

    account_sid: str
    sid: str


class BlobWriter(Protocol):
    """A blob that is being written."""

    size: int

    async def write(self, piece: bytes) -> None:
        """Add bytes at the end. Raises Unavailable."""
        ...

    async def persist(self) -> None:
        """Have it on disk under its own name. Raises Unavailable."""
        ...

    async def discard(self) -> None:
        """Remove whatever there is of it, kept or not; what cannot be removed stays unsettled."""
        ...


class BlobReader(Protocol):
    """A blob that is being read."""

    size: int

    def pieces(self, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """So many bytes from a place on, a bounded piece at a time."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class BlobStore(Protocol):
    """A place for blobs: the local disk, or a store of objects somewhere else."""

    async def create(self, name: BlobKey) -> BlobWriter:
        """A new blob. Raises Unavailable."""
        ...

    async def mark_committed(self, name: BlobKey) -> None:
        """The row that names a kept blob is committed: it is no orphan any more."""
        ...

    async def open(self, name: BlobKey) -> BlobReader | None:
        """A kept blob; None if there is none."""
        ...

    async def remove(self, name: BlobKey) -> None:
        """Remove a blob under each of its names; one that is not there is no harm."""
        ...

    async def uncommitted(self, before_ms: int) -> list[BlobKey]:
        """Blobs that were begun before a moment and never settled, up to a number."""
        ...

    async def close(self) -> None:
        """End."""
        ...


class DiskBlobStore:
    """Blobs as files: a folder for each account, and in it folders by the digits of sids."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unfinished = folder / _UNFINISHED
        for each in (self._folder, self._unfinished):
            each.mkdir(exist_ok=True, mode=_PRIVATE_FOLDER)
        self._threads = _Threads()

    def _place(self, name: BlobKey) -> Path:
        assert all(part.isalnum() for part in name), "a name from outside never becomes a path"
        return self._folder / name.account_sid / name.sid[_FOLDER_DIGITS] / name.sid

    def _first_place(self, name: BlobKey) -> Path:
        return self._unfinished / ".".join(name)

    async def create(self, name: BlobKey) -> BlobWriter:
        """A new file among the unfinished ones."""
        path, place = self._first_place(name), self._place(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = await self._threads.write(lambda: os.open(path, flags, _PRIVATE_FILE))
        return _NewFile(_Writing(descriptor, path, place), self._threads)

    async def mark_committed(self, name: BlobKey) -> None:
        """Take the first name away; the other one stays."""
        path = self._first_place(name)
        await self._threads.run(lambda: path.unlink(missing_ok=True))

    async def open(self, name: BlobKey) -> BlobReader | None:
        """The file, opened."""
        path = self._place(name)
        try:
            descriptor = await self._threads.run(lambda: os.open(path, os.O_RDONLY))
        except FileNotFoundError:
            return None
        return _File(descriptor, self._threads)

    async def remove(self, name: BlobKey) -> None:
        """Unlink it; who is reading it reads on."""
        paths = (self._place(name), self._first_place(name))
        await self._threads.run(lambda: _unlink(paths))

    async def uncommitted(self, before_ms: int) -> list[BlobKey]:
        """What is old among the unfinished ones."""
        return await self._threads.run(lambda: _older(self._unfinished, before_ms))

    async def close(self) -> None:
        """Wait for the work that is being done."""
        self._threads.close()


def _unlink(paths: tuple[Path, ...]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _older(folder: Path, before_ms: int) -> list[BlobKey]:
    """The files that were last written before a moment, up to a number."""
    found: list[BlobKey] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(found) == limits.MEDIA_REMOVED_PER_STEP_MAX:
                break
            # It may go at any moment: then nobody has to look after it.
            with contextlib.suppress(FileNotFoundError):
                if entry.stat().st_mtime * 1000 < before_ms:
                    found.append(BlobKey(*entry.name.split(".")))
    return found


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Threads:
    """The threads that work on files. Each blob has one piece of work at a time."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(limits.BLOB_THREADS, "parlour-blobs")

    async def run(self, work: Callable[[], T]) -> T:
        """Do this in a thread."""
        assert_outside_transaction()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def write(self, work: Callable[[], T]) -> T:
        """Do this in a thread. Raises Unavailable if the disk refuses."""
        try:
            return await self.run(work)
        except OSError as error:
            raise Unavailable(f"media: {error.strerror}") from error

    def close(self) -> None:
        """Wait for the work that is being done."""
        self._executor.shutdown()


class _Writing:
    """A file that is being written, as its thread sees it.

    A request can be given up while a thread works for it, so each step holds a lock: the file is
    never closed under somebody who writes.
    """

    def __init__(self, descriptor: int, path: Path, place: Path) -> None:
        self._lock = threading.Lock()
        self._descriptor: int | None = descriptor
        self._path = path
        self._place = place

    def write(self, pieces: list[bytes]) -> None:
        """Add bytes at the end."""
        with self._lock:
            if self._descriptor is None:
                return
            left = memoryview(b"".join(pieces))
            while left:
                left = left[os.write(self._descriptor, left) :]

    def persist(self) -> None:
        """Sync the bytes, give the file its own name, and sync that too."""
        with self._lock:
            assert self._descriptor is not None
            os.fsync(self._descriptor)
            self._close()
            folder = self._place.parent
            for each in (folder.parent, folder):
                each.mkdir(exist_ok=True, mode=_PRIVATE_FOLDER)
            os.link(self._path, self._place)
            # Each of them may be new; a folder that did not change costs next to nothing.
            for each in (folder, folder.parent, folder.parent.parent):
                _sync_folder(each)

    def discard(self) -> None:
        """Close the file and remove it under each of its names."""
        with self._lock:
            self._close()
            _unlink((self._place, self._path))

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class _NewFile:
    """A file that is being written, in pieces that are worth a thread's time."""

    def __init__(self, file: _Writing, threads: _Threads) -> None:
        self.size = 0
        self._file = file
        self._threads = threads
        self._held: list[bytes] = []
        self._held_bytes = 0

    async def write(self, piece: bytes) -> None:
        """Hold the bytes until they are enough for a thread."""
        self.size += len(piece)
        self._held_bytes += len(piece)
        self._held.append(piece)
        if self._held_bytes >= limits.BLOB_PIECE_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        held, self._held, self._held_bytes = self._held, [], 0
        await self._threads.write(lambda: self._file.write(held))

    async def persist(self) -> None:
        """Write the rest, and have all of it on disk under its own name."""
        await self._flush()
        await self._threads.write(self._file.persist)

    async def discard(self) -> None:
        """Remove it."""
        with contextlib.suppress(OSError):
            await self._threads.run(self._file.discard)


class _File:
    """A file that is being read."""

    def __init__(self, descriptor: int, threads: _Threads) -> None:
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._threads = threads

    async def pieces(self, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """So many bytes from a place on."""
        end = first + count
        while first < end:
            wanted = min(limits.BLOB_PIECE_BYTES, end - first)
            piece = await self._threads.run(
                functools.partial(os.pread, self._descriptor, wanted, first)
            )
            assert piece, "a kept blob never becomes shorter"
            first += len(piece)
            yield piece

    async def close(self) -> None:
        """Close the file."""
        await self._threads.run(lambda: os.close(self._descriptor))
