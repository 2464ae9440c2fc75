"""What a backup is read from: a folder, or an uncompressed tar archive. Neither is trusted.

A backup may come from elsewhere, so nothing in it decides where is read or written. Its files have
one of a few names, and each of them is a regular file:

| name                          | what it is                                    |
|-------------------------------|-----------------------------------------------|
| ``backup.json``               | the manifest                                  |
| ``SHA256SUMS``                | a checksum for each other file                |
| the database, the key         | as in a data folder                           |
| ``media/ACCOUNT/DIGITS/SID``  | letters and digits of ASCII only              |

Everything else is refused before anything is read: links of any kind, FIFOs, sockets, devices,
other names, names with ``..``, a name twice, a file that is longer than its archive.
Reading never follows a link that was put there later, and never waits for a writer.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tarfile
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEDIUM: Final = re.compile(r"AC[0-9A-Za-z]{1,62}/[0-9A-Za-z]{1,2}/[0-9A-Za-z]{1,64}")
_MEDIA_DEPTH: Final = 4
_READ_BYTES: Final = 1 << 20
_REGULAR: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)


class BackupError(Exception):
    """A backup that cannot be made, or cannot be used; the text says why."""


class Names:
    """The names that files of a backup may have."""

    def __init__(self, known: frozenset[str], media: str) -> None:
        self._known = known
        self._media = media

    def is_file(self, name: str) -> bool:
        """Return whether a file of a backup may have this name, a path with slashes."""
        if name in self._known:
            return True
        folder, _, medium = name.partition("/")
        return folder == self._media and MEDIUM.fullmatch(medium) is not None

    def is_folder(self, name: str) -> bool:
        """Return whether files of a backup may be in this folder."""
        parts = name.split("/")
        return parts[0] == self._media and len(parts) < _MEDIA_DEPTH


class Source(Protocol):
    """The files of a backup."""

    def files(self) -> dict[str, int]:
        """Return the name and the size of every file. Raises BackupError."""
        ...

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of one of them. Raises BackupError."""
        ...


class FolderSource:
    """A backup that is a folder."""

    def __init__(self, folder: Path, names: Names) -> None:
        self._folder = folder
        self._names = names

    def files(self) -> dict[str, int]:
        """Return the name and the size of every file."""
        if not self._folder.is_dir():
            raise BackupError(
                f"{self._folder} is no backup: it is neither a folder nor a file whose name ends "
                "with .tar (unpack or decompress it first)"
            )
        return dict(self._walk(""))

    def _walk(self, folder: str) -> Iterator[tuple[str, int]]:
        with self._opened(folder, os.O_DIRECTORY) as descriptor, os.scandir(descriptor) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False) and self._names.is_folder(name):
                    yield from self._walk(name)
                elif entry.is_file(follow_symlinks=False) and self._names.is_file(name):
                    yield name, entry.stat(follow_symlinks=False).st_size
                else:
                    raise _is_foreign(self._folder, name)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        with self._opened(name, os.O_NONBLOCK) as descriptor:
            # The type may have changed since it was listed: a FIFO would never end.
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _is_foreign(self._folder, name)
            while piece := os.read(descriptor, _READ_BYTES):
                yield piece

    @contextlib.contextmanager
    def _opened(self, name: str, flags: int) -> Iterator[int]:
        """Open a path below the folder, part by part, through no link."""
        parts = name.split("/") if name else []
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for number, part in enumerate(parts, start=1):
                kind = flags if number == len(parts) else os.O_DIRECTORY
                inner = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)


class TarSource:
    """A backup that is an uncompressed tar archive with one folder in it."""

    def __init__(self, path: Path, names: Names) -> None:
        self._path = path
        self._names = names
        self._places: dict[str, tuple[int, int]] = {}
        """By name: where the content begins in the archive, and its size."""

    def files(self) -> dict[str, int]:
        """Return the name and the size of every file."""
        if not self._path.is_file():
            raise BackupError(f"{self._path} is not a file")
        self._places = {}
        try:
            with self._path.open("rb") as file:
                bounded = cast("BinaryIO", _BoundedReads(file))
                with tarfile.open(fileobj=bounded, mode="r:") as archive:
                    self._list(archive, self._path.stat().st_size)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
            raise BackupError(f"{self._path} is no backup: {error}") from error
        return {name: size for name, (_, size) in self._places.items()}

    def _list(self, archive: tarfile.TarFile, size_of_all: int) -> None:
        roots: set[str] = set()
        for member in archive:
            root, _, name = member.name.removeprefix("./").partition("/")
            roots.add(root)
            if len(roots) > 1 or root in {"", ".", ".."}:
                raise BackupError(f"{self._path} is no backup: it is not one folder")
            if member.isdir() and (not name or self._names.is_folder(name)):
                continue
            if member.type not in _REGULAR or not self._names.is_file(name) or name in self._places:
                raise _is_foreign(self._path, member.name)
            if not 0 <= member.size <= size_of_all - member.offset_data:
                raise BackupError(f"{self._path} is damaged: {name} is cut off")
            self._places[name] = (member.offset_data, member.size)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        offset, left = self._places[name]
        with self._path.open("rb") as file:
            file.seek(offset)
            while left:
                piece = file.read(min(left, _READ_BYTES))
                if not piece:
                    raise BackupError(f"{self._path} is damaged: {name} is cut off")
                left -= len(piece)
                yield piece


class _BoundedReads:
    """A file whose reader cannot be made to read much at once, as by a header of a gigabyte."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int) -> bytes:
        """Read some bytes. Raises ``tarfile.ReadError`` if too many are wanted."""
        if not 0 <= size <= limits.BACKUP_HEADER_BYTES_MAX:
            raise tarfile.ReadError("it has a header of too many bytes")
        return self._file.read(size)


def _is_foreign(backup: Path, name: str) -> BackupError:
    """Return the error for what is never part of a backup."""
    shown = ascii(name[: limits.BACKUP_NAME_CHARS_SHOWN])
    return BackupError(f"{backup} is no backup: {shown} is not one of its files, or is not a file")
