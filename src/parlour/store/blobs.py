"""Storage of media: immutable blobs outside the database, each under its own sid.

**Order of writes.** A blob is written under a temporary name, its *marker*. When it is complete it
is synced and linked to its final name; only then may a row that refers to it be committed. So there
is never a row without its blob. The marker remains until that commit. So everything that a
crash leaves behind, a partial blob or a complete one without a row, has a marker, and is found
without a scan of all blobs.

File operations run in threads and never block the event loop. A disk error while a blob is written
becomes ``Unavailable``: nothing is stored, and nothing is retried.
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

MEDIA_FOLDER: Final = "media"
"""The folder of the files, in the data folder."""
_MARKERS: Final = "incoming"
_FOLDER_DIGITS: Final = slice(2, 4)
_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


class BlobKey(NamedTuple):
    """The account of a blob and the sid of its row."""

    account_sid: str
    sid: str


class BlobWriter(Protocol):
    """A blob that is being written."""

    size: int

    async def write(self, piece: bytes) -> None:
        """Append bytes. Raises Unavailable."""
        ...

    async def persist(self) -> None:
        """Sync the blob and link it to its final name. Raises Unavailable."""
        ...

    async def discard(self) -> None:
        """Remove the blob in any state; if that fails it remains an orphan."""
        ...


class BlobReader(Protocol):
    """A blob that is being read."""

    size: int

    def pieces(self, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """Yield ``count`` bytes from an offset on, in bounded chunks."""
        ...

    async def close(self) -> None:
        """Close the blob."""
        ...


# state      names             entered by                  next
# ---------  ----------------  --------------------------  --------------------------------
# writing    marker            ``BlobStore.create``        persisted, or discarded
# persisted  marker and final  ``BlobWriter.persist``      committed, or discarded
# committed  final             ``mark_committed``          removed
# orphan     an old marker     a crash, an unknown commit  committed if it has a row, or
#                              or a failed discard before  removed (garbage collection)
#                              ``mark_committed``
class BlobStore(Protocol):
    """Storage of blobs: the local disk, or an object store."""

    async def create(self, name: BlobKey) -> BlobWriter:
        """Create a blob in the state writing. Raises Unavailable."""
        ...

    async def mark_committed(self, name: BlobKey) -> None:
        """Remove the marker: the row that refers to the blob is committed."""
        ...

    async def open(self, name: BlobKey) -> BlobReader | None:
        """Open a persisted blob; None if there is none."""
        ...

    async def remove(self, name: BlobKey) -> None:
        """Remove a blob under each of its names. Idempotent."""
        ...

    async def uncommitted(self, before_ms: int) -> list[BlobKey]:
        """Return blobs that were last written before a time and have a marker, at most a batch."""
        ...

    async def close(self) -> None:
        """Wait for file operations in progress."""
        ...


class DiskBlobStore:
    """Blobs as files, in a folder for each account, sharded by digits of the sid."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._markers = folder / _MARKERS
        for each in (self._folder, self._markers):
            each.mkdir(exist_ok=True, mode=_PRIVATE_FOLDER)
        self._threads = _Threads()
        self.is_kept: Callable[[BlobKey], bool] | None = None
        """With --test: whether a blob stays although its row is removed, for a snapshot."""

    def _path(self, name: BlobKey) -> Path:
        assert all(part.isalnum() for part in name), "not a path made of sids"
        return self._folder / name.account_sid / name.sid[_FOLDER_DIGITS] / name.sid

    def _marker(self, name: BlobKey) -> Path:
        return self._markers / ".".join(name)

    async def create(self, name: BlobKey) -> BlobWriter:
        """Create the marker."""
        marker, path = self._marker(name), self._path(name)
        # O_EXCL: a sid is used once, so an existing marker is a bug.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = await self._threads.write(lambda: os.open(marker, flags, _PRIVATE_FILE))
        return _NewFile(_OpenFile(descriptor, marker, path), self._threads)

    async def mark_committed(self, name: BlobKey) -> None:
        """Remove the marker; the final name remains."""
        marker = self._marker(name)
        await self._threads.run(lambda: marker.unlink(missing_ok=True))

    async def open(self, name: BlobKey) -> BlobReader | None:
        """Open the file; None if there is none."""
        path = self._path(name)
        try:
            descriptor = await self._threads.run(lambda: os.open(path, os.O_RDONLY))
        except FileNotFoundError:
            return None
        return _File(descriptor, self._threads)

    async def remove(self, name: BlobKey) -> None:
        """Unlink both names; open readers are not affected (POSIX)."""
        paths: tuple[Path, ...] = (self._path(name), self._marker(name))
        if self.is_kept is not None and self.is_kept(name):
            paths = (self._marker(name),)
        await self._threads.run(lambda: _unlink(paths))

    async def uncommitted(self, before_ms: int) -> list[BlobKey]:
        """Return the old markers, at most a batch."""
        return await self._threads.run(lambda: _older(self._markers, before_ms))

    async def close(self) -> None:
        """Wait for file operations in progress."""
        self._threads.close()


def _unlink(paths: tuple[Path, ...]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _older(folder: Path, before_ms: int) -> list[BlobKey]:
    """Return the markers that were last written before a time, at most a batch."""
    found: list[BlobKey] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(found) == limits.MEDIA_REMOVED_PER_STEP_MAX:
                break
            # Removed in the meantime: not an orphan.
            with contextlib.suppress(FileNotFoundError):
                if entry.stat().st_mtime * 1000 < before_ms:
                    found.append(BlobKey(*entry.name.split(".")))
    return found


def _sync_folder(folder: Path) -> None:
    """Sync the directory entries of a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Threads:
    """The threads of file operations. Each blob has one operation at a time."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(limits.BLOB_THREADS, "parlour-blobs")

    async def run(self, work: Callable[[], T]) -> T:
        """Run an operation in a thread."""
        assert_outside_transaction()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def write(self, work: Callable[[], T]) -> T:
        """Run an operation in a thread. Raises Unavailable for an OSError."""
        try:
            return await self.run(work)
        except OSError as error:
            raise Unavailable(f"media: {error.strerror}") from error

    def close(self) -> None:
        """Wait for file operations in progress."""
        self._executor.shutdown()


class _OpenFile:
    """A file that is being written, used by threads.

    A request can be cancelled while a thread works for it, so each operation holds a lock: the
    descriptor is never closed during a write.
    """

    def __init__(self, descriptor: int, marker: Path, path: Path) -> None:
        self._lock = threading.Lock()
        self._descriptor: int | None = descriptor
        self._marker = marker
        self._path = path

    def write(self, pieces: list[bytes]) -> None:
        """Append bytes; none after ``discard``."""
        with self._lock:
            if self._descriptor is None:  # Discarded while this write was queued.
                return
            rest = memoryview(b"".join(pieces))
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def persist(self) -> None:
        """Sync the content, link the file to its final name, and sync the folders."""
        with self._lock:
            assert self._descriptor is not None
            # Content first: a name must never refer to content that is not on disk.
            os.fsync(self._descriptor)
            self._close()
            folder = self._path.parent
            for each in (folder.parent, folder):
                each.mkdir(exist_ok=True, mode=_PRIVATE_FOLDER)
            # A link, not a rename: the marker remains until the row is committed.
            os.link(self._marker, self._path)
            # Each of them may be new; the sync of an unchanged folder is cheap.
            for each in (folder, folder.parent, folder.parent.parent):
                _sync_folder(each)

    def discard(self) -> None:
        """Close the file and remove both names."""
        with self._lock:
            self._close()
            _unlink((self._path, self._marker))

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class _NewFile:
    """A blob that is being written: buffers small writes, so that few need a thread."""

    def __init__(self, file: _OpenFile, threads: _Threads) -> None:
        self.size = 0
        self._file = file
        self._threads = threads
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0

    async def write(self, piece: bytes) -> None:
        """Buffer bytes; flush them when there are BLOB_PIECE_BYTES."""
        self.size += len(piece)
        self._buffered_bytes += len(piece)
        self._buffer.append(piece)
        if self._buffered_bytes >= limits.BLOB_PIECE_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        pieces, self._buffer, self._buffered_bytes = self._buffer, [], 0
        await self._threads.write(lambda: self._file.write(pieces))

    async def persist(self) -> None:
        """Flush the buffer, sync the file and link it to its final name."""
        await self._flush()
        await self._threads.write(self._file.persist)

    async def discard(self) -> None:
        """Remove the file; an error leaves an orphan."""
        with contextlib.suppress(OSError):
            await self._threads.run(self._file.discard)


class _File:
    """A file that is being read."""

    def __init__(self, descriptor: int, threads: _Threads) -> None:
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._threads = threads

    async def pieces(self, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """Yield ``count`` bytes from an offset on, in bounded chunks."""
        end = first + count
        while first < end:
            size = min(limits.BLOB_PIECE_BYTES, end - first)
            piece = await self._threads.run(
                functools.partial(os.pread, self._descriptor, size, first)
            )
            assert piece, "a persisted blob is immutable"
            first += len(piece)
            yield piece

    async def close(self) -> None:
        """Close the file."""
        await self._threads.run(lambda: os.close(self._descriptor))
