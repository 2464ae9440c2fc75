"""A backup in a tar archive, which is not trusted (``store/maintenance/backup_sources.py``).

In this package because a server never imports the library for archives.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from parlour.store.maintenance.backup_sources import READ_BYTES, BackupError, foreign_file_error
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parlour.store.maintenance.backup_sources import BackupNames

_REGULAR: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)


class TarSource:
    """A backup that is an uncompressed tar archive with one folder in it."""

    def __init__(self, path: Path, names: BackupNames) -> None:
        self._path = path
        self._names = names
        self._places: dict[str, tuple[int, int]] = {}
        """Offset and size of each file's content in the archive, by name."""

    def files(self) -> dict[str, int]:
        """Return the size of every file, by name."""
        if not self._path.is_file():
            raise BackupError(f"{self._path} is not a file")
        self._places = {}
        try:
            with self._path.open("rb") as file:
                bounded = cast("BinaryIO", _BoundedReads(file))
                with tarfile.open(fileobj=bounded, mode="r:") as archive:
                    self._list(archive, self._path.stat().st_size)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
            raise BackupError(f"{self._path} is not a backup: {error}") from error
        return {name: size for name, (_, size) in self._places.items()}

    def _list(self, archive: tarfile.TarFile, size_of_all: int) -> None:
        roots: set[str] = set()
        for member in archive:
            root, _, name = member.name.removeprefix("./").partition("/")
            roots.add(root)
            if len(roots) > 1 or root in {"", ".", ".."}:
                raise BackupError(f"{self._path} is not a backup: it is not one folder")
            if member.isdir() and (not name or self._names.is_folder(name)):
                continue
            if member.type not in _REGULAR or not self._names.is_file(name) or name in self._places:
                raise foreign_file_error(self._path, member.name)
            if not 0 <= member.size <= size_of_all - member.offset_data:
                raise BackupError(f"{self._path} is damaged: {name} is cut off")
            self._places[name] = (member.offset_data, member.size)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        offset, left = self._places[name]
        with self._path.open("rb") as file:
            file.seek(offset)
            while left:
                piece = file.read(min(left, READ_BYTES))
                if not piece:
                    raise BackupError(f"{self._path} is damaged: {name} is cut off")
                left -= len(piece)
                yield piece


class _BoundedReads:
    """A file with bounded reads, against headers that declare a size of gigabytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        # tidy: standard-names - the methods of a file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int) -> bytes:
        """Read bytes. Raises ``tarfile.ReadError`` if too many are requested."""
        if not 0 <= size <= limits.BACKUP_HEADER_BYTES_MAX:
            raise tarfile.ReadError("it has a header of too many bytes")
        return self._file.read(size)
