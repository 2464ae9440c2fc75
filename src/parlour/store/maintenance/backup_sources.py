"""The files of a backup, read from a folder or a tar archive (``cli/backup_archives.py``).

A backup may come from elsewhere and is not trusted: nothing in it may decide which path is read or
written. Its files have one of a few names, and each is a regular file:

| name                          | content                                       |
|-------------------------------|-----------------------------------------------|
| ``backup.json``               | the manifest                                  |
| ``SHA256SUMS``                | a checksum for each other file                |
| the database, the key         | as in a data folder                           |
| ``media/ACCOUNT/DIGITS/SID``  | letters and digits of ASCII only              |

Everything else is rejected before any content is read: links of any kind, FIFOs, sockets, devices,
other names, names with ``..``, duplicate names, a file that is longer than its archive. Reading
never follows a link that was created later, and never waits for a writer.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import TYPE_CHECKING, Final, Protocol

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEDIA_PATH: Final = re.compile(r"AC[0-9A-Za-z]{1,62}/[0-9A-Za-z]{1,2}/[0-9A-Za-z]{1,64}")
_MEDIA_DEPTH: Final = 4
READ_BYTES: Final = 1 << 20
"""Bytes of one chunk of a file."""


class BackupError(Exception):
    """A backup cannot be made or used; the text is the reason."""


class BackupNames:
    """The names that files of a backup may have."""

    def __init__(self, names: frozenset[str], media: str) -> None:
        self._names = names
        self._media = media

    def is_file(self, name: str) -> bool:
        """Return whether a file of a backup may have this name, a path with slashes."""
        if name in self._names:
            return True
        folder, _, medium = name.partition("/")
        return folder == self._media and MEDIA_PATH.fullmatch(medium) is not None

    def is_folder(self, name: str) -> bool:
        """Return whether files of a backup may be in this folder."""
        parts = name.split("/")
        return parts[0] == self._media and len(parts) < _MEDIA_DEPTH


class BackupSource(Protocol):
    """The files of a backup."""

    def files(self) -> dict[str, int]:
        """Return the name and the size of every file. Raises BackupError."""
        ...

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of one of them. Raises BackupError."""
        ...


class FolderSource:
    """A backup that is a folder."""

    def __init__(self, folder: Path, names: BackupNames) -> None:
        self._folder = folder
        self._names = names

    def files(self) -> dict[str, int]:
        """Return the name and the size of every file."""
        if not self._folder.is_dir():
            raise BackupError(
                f"{self._folder} is not a backup: it is neither a folder nor a file whose name "
                "ends with .tar (unpack or decompress it first)"
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
                    raise foreign_file_error(self._folder, name)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        with self._opened(name, os.O_NONBLOCK) as descriptor:
            # The type may have changed since the listing: reading a FIFO would block.
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise foreign_file_error(self._folder, name)
            while piece := os.read(descriptor, READ_BYTES):
                yield piece

    @contextlib.contextmanager
    def _opened(self, name: str, flags: int) -> Iterator[int]:
        """Open a path below the folder, component by component, without following links."""
        # O_NOFOLLOW applies to the last component only, so components are opened one by one.
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


def foreign_file_error(backup: Path, name: str) -> BackupError:
    """Return the error for a file that cannot be part of a backup."""
    shown = ascii(name[: limits.BACKUP_NAME_CHARS_SHOWN])
    return BackupError(
        f"{backup} is not a backup: {shown} is not one of its files, or is not a file"
    )
