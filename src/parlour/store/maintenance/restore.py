"""Restoring a backup: creates a data folder with exactly the files of the backup, or none.

Each file is copied once, and its checksum is computed from the copied bytes, so nothing can change
between check and copy. The new folder is renamed to its final name only after every check has
passed and every file is synced.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store.folder_lock import lock_folder
from parlour.store.maintenance.backup import (
    CHECKSUMS,
    FORMAT,
    MANIFEST,
    DataPaths,
    Manifest,
    copy_file,
    sync_folder,
    write_file,
)
from parlour.store.maintenance.backup_sources import BackupError
from parlour.store.private_files import PRIVATE_FOLDER, database_files, make_private_folders
from parlour.store.sqlite.online_backup import DatabaseContents, check_database, key_fingerprint_of
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from parlour.store.maintenance.backup_sources import BackupSource

_SUM: Final = re.compile(r"([0-9a-f]{64})  (.+)")


class Restore:
    """One backup with its list of files and its manifest."""

    def __init__(self, source: BackupSource, name: Path) -> None:
        """``name``: the backup's name in errors. Raises BackupError."""
        self._source = source
        self._name = name
        self._files = source.files()
        for each in (MANIFEST, CHECKSUMS):
            if each not in self._files:
                raise BackupError(f"{name} is not a backup: there is no {each}")
        self.manifest = self._read_manifest()

    def _read_manifest(self) -> Manifest:
        content = self._read(MANIFEST, limits.BACKUP_MANIFEST_BYTES_MAX)
        try:
            manifest = msgspec.json.decode(content, type=Manifest)
        except (ValueError, RecursionError) as error:
            raise BackupError(f"{self._name} is not a backup: {error}") from error
        if manifest.format != FORMAT:
            text = f"{self._name} is of format {manifest.format}, this reads {FORMAT}"
            raise BackupError(text)
        return manifest

    def _read(self, name: str, most: int) -> bytes:
        if self._files[name] > most:
            raise BackupError(f"{self._name} is not a backup: {name} is too long")
        # The listed size is not trusted: count the bytes that are read.
        content = bytearray()
        for piece in self._source.pieces(name):
            content += piece
            if len(content) > most:
                raise BackupError(f"{self._name} is not a backup: {name} is too long")
        return bytes(content)

    def run(
        self,
        data: DataPaths,
        key: Path | None,
        check_key: Callable[[Path], None],
        report: Callable[[str], None],
    ) -> None:
        """Create the data folder, with the key file ``key`` or the one in the backup.

        ``check_key`` raises BackupError for another key file. ``report`` is called with each step.
        """
        if data.folder.is_symlink() or (data.folder.exists() and not data.folder.is_dir()):
            raise BackupError(f"{data.folder} is not a folder")
        if data.folder.exists() and any(data.folder.iterdir()):
            raise BackupError(f"{data.folder} is not empty: restore into a new folder")
        # All checks that need no copy come first.
        sums = self._sums(data)
        self._require_space(data.folder)
        made = data.at(data.folder.with_name(f".{data.folder.name}.unfinished"))
        shutil.rmtree(made.folder, ignore_errors=True)  # Left by a run that was killed.
        added = _missing_folders(data.folder)
        try:
            # Created and locked first, so that no server can start in it in the meantime.
            data.folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
            with lock_folder(data.folder):
                made.folder.mkdir(mode=PRIVATE_FOLDER)
                self._fill(made, sums, key, report)
                check_key(made.key)
                made.folder.rename(data.folder)  # Replaces an empty folder only.
        except BaseException:
            # Leave the file system as it was, with the folders that did not exist removed.
            shutil.rmtree(made.folder, ignore_errors=True)
            for each in added:
                if each.exists():
                    each.rmdir()
            raise
        sync_folder(data.folder.parent)

    def _sums(self, data: DataPaths) -> dict[str, str]:
        """Return the checksum of each file but SHA256SUMS. Raises BackupError."""
        # Bounded by one line with a checksum for each listed file.
        most = sum(len(name) + limits.BACKUP_SUM_BYTES for name in self._files)
        sums: dict[str, str] = {}
        for line in self._read(CHECKSUMS, most).decode("ascii", "replace").splitlines():
            found = _SUM.fullmatch(line)
            if found is None or found[2] in sums:
                raise self._is_damaged()
            sums[found[2]] = found[1]
        if sums.keys() != self._files.keys() - {CHECKSUMS} or data.database_name not in sums:
            raise self._is_damaged()
        return sums

    def _is_damaged(self) -> BackupError:
        return BackupError(f"{self._name} is damaged: its files do not match {CHECKSUMS}")

    def _require_space(self, folder: Path) -> None:
        place = folder.absolute()
        while not place.exists():
            place = place.parent
        needed, free = sum(self._files.values()), shutil.disk_usage(place).free
        if needed > free:
            raise BackupError(f"{needed} bytes are needed in {place}, and {free} are free")

    def _fill(
        self, made: DataPaths, sums: dict[str, str], key: Path | None, report: Callable[[str], None]
    ) -> None:
        """Copy everything into the unfinished folder, and check it there."""
        copied = sums.keys() - {MANIFEST, made.key_name}
        # First the files that are not copied, to reject a wrong manifest before the long part.
        for name in sorted(sums.keys() - copied):
            self._check(name, sums[name])
        report("database")
        self._copy(made.database_name, made.folder, sums)
        self._check_database(made)
        report("media")
        for name in sorted(copied - {made.database_name}):
            self._copy(name, made.folder, sums)
        if key is not None:
            copy_file(key, made.key)
        elif made.key_name in sums:
            self._copy(made.key_name, made.folder, sums)
        else:
            raise BackupError(f"the key is not in {self._name}")
        for folder in [*made.folder.rglob("*/"), made.folder]:
            sync_folder(folder)

    def _check(self, name: str, expected: str) -> None:
        digest = hashlib.sha256()
        for piece in self._source.pieces(name):
            digest.update(piece)
        if digest.hexdigest() != expected:
            raise self._is_damaged()

    def _copy(self, name: str, folder: Path, sums: dict[str, str]) -> None:
        target = folder / name
        make_private_folders(target.parent)
        digest = hashlib.sha256()
        write_file(target, _digested(self._source, name, digest.update))
        if digest.hexdigest() != sums[name]:
            raise self._is_damaged()

    def _check_database(self, made: DataPaths) -> None:
        contents = check_database(made.database)
        if contents != DatabaseContents(self.manifest.position, self.manifest.migrations):
            raise BackupError(f"{self._name} is damaged: its database does not match {MANIFEST}")
        fingerprint = key_fingerprint_of(made.database)
        if fingerprint not in {"", self.manifest.key_fingerprint}:
            raise BackupError(
                f"{self._name} is damaged: its database belongs to the key {fingerprint}"
            )
        # Reading a database in WAL mode can create files next to it.
        for path in database_files(made.database):
            if path != made.database:
                path.unlink(missing_ok=True)


def _digested(source: BackupSource, name: str, update: Callable[[bytes], None]) -> Iterator[bytes]:
    for piece in source.pieces(name):
        update(piece)
        yield piece


def _missing_folders(folder: Path) -> list[Path]:
    """Return the missing folders of a path, the innermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    return missing
