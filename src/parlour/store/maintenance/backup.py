"""Backups of a data folder: the SQLite database and media as of one moment, in one folder.

**Consistency.** Media are copied before the database and again after it. A media file is immutable
and on disk before a row refers to it, so every file that the copied rows refer to existed at one of
the two times, even if it was deleted in between. Files without a copied row are removed from the
backup: they were deleted, or are newer than the database.

**The key** is included only on request. Without it the secrets in a backup cannot be decrypted, not
even with another key; so the manifest has the fingerprint of the key, and a restored folder is
complete only with that key.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store.maintenance.backup_sources import BackupError, BackupNames
from parlour.store.migrations import migrations
from parlour.store.private_files import PRIVATE_FILE, PRIVATE_FOLDER, make_private_folders
from parlour.store.sqlite.online_backup import copy_database, key_fingerprint_of, media_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MANIFEST: Final = "backup.json"
CHECKSUMS: Final = "SHA256SUMS"
FORMAT: Final = 1
_COPY_BYTES: Final = 1 << 20


class Manifest(msgspec.Struct, frozen=True):
    """The manifest of a backup. Its fields are the keys of ``backup.json``."""

    format: int
    version: str
    date: str
    position: int
    migrations: tuple[str, ...]
    media_files: int
    media_missing: int
    key_fingerprint: str
    holds_key: bool


class DataPaths(msgspec.Struct, frozen=True):
    """The paths in a data folder, and so in a backup of it."""

    folder: Path
    database_name: str
    media_name: str
    key_name: str

    @property
    def database(self) -> Path:
        """Return the database file."""
        return self.folder / self.database_name

    @property
    def media(self) -> Path:
        """Return the folder of media."""
        return self.folder / self.media_name

    @property
    def key(self) -> Path:
        """Return the key file."""
        return self.folder / self.key_name

    @property
    def names(self) -> BackupNames:
        """Return the names that files of a backup may have."""
        names = {MANIFEST, CHECKSUMS, self.database_name, self.key_name}
        return BackupNames(frozenset(names), self.media_name)

    def at(self, folder: Path) -> DataPaths:
        """Return the same paths in another folder."""
        return msgspec.structs.replace(self, folder=folder)


class BackupFacts(msgspec.Struct, frozen=True):
    """Facts for the manifest that the caller provides."""

    version: str
    date: str
    key_fingerprint: str


def make_backup(
    data: DataPaths,
    target: Path,
    facts: BackupFacts,
    report: Callable[[str], None],
    *,
    with_key: bool,
) -> Manifest:
    """Back up a data folder into a new folder, which gets its name only when it is complete.

    ``report`` is called with the name of each step. Raises BackupError.
    """
    if target.exists():
        raise BackupError(f"{target} already exists")
    if not data.database.exists():
        raise BackupError(f"there is no {data.database}")
    # Renamed at the end, so that an interrupted run leaves no folder that looks like a backup.
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=PRIVATE_FOLDER)
    backup = data.at(unfinished)
    copies = _Copies(data.media, backup.media)
    report("media")
    # Before the database: these files may be deleted while it is copied.
    copies.copy_all()
    report("database")
    copied = copy_database(data.database, backup.database, _page_reporter(report))
    # The backup API creates the file with the mode that the umask permits.
    backup.database.chmod(PRIVATE_FILE)
    if copied.migrations != tuple(each.name for each in migrations()):
        raise BackupError("the server has not been started with this version yet")
    _require_matching_key(data, backup, facts.key_fingerprint)
    report("media since then")
    # After the database: files that were uploaded while it was copied.
    media_files, missing = copies.keep_only(media_of(backup.database))
    if with_key:
        copy_file(data.key, backup.key)
    manifest = Manifest(
        format=FORMAT,
        version=facts.version,
        date=facts.date,
        position=copied.position,
        migrations=copied.migrations,
        media_files=media_files,
        media_missing=missing,
        key_fingerprint=facts.key_fingerprint,
        holds_key=with_key,
    )
    write_file(
        backup.folder / MANIFEST, [msgspec.json.format(msgspec.json.encode(manifest)), b"\n"]
    )
    report("checksums")
    write_file(backup.folder / CHECKSUMS, [_sums(backup.folder)])
    sync_folder(unfinished)
    unfinished.rename(target)
    sync_folder(target.parent)
    return manifest


def _require_matching_key(data: DataPaths, backup: DataPaths, key_fingerprint: str) -> None:
    """Raise BackupError if the copied database was sealed with another key."""
    expected = key_fingerprint_of(backup.database)
    if expected not in {"", key_fingerprint}:
        raise BackupError(
            f"{data.key} is the key {key_fingerprint}, but {data.database} belongs to the "
            f"key {expected}: copy that key file to {data.key}"
        )


class _Copies:
    """Copies of media files, from one folder to another of the same layout."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source, self._target = source, target

    def copy_all(self) -> None:
        """Copy every file that exists now; incomplete uploads are in another folder."""
        for path in sorted(self._source.glob("AC*/*/*")):
            self._copy(path.relative_to(self._source))

    def keep_only(self, names: Iterator[tuple[str, str]]) -> tuple[int, int]:
        """Copy missing files and remove all files without a row.

        Returns the numbers of files in the copy and of missing ones.
        """
        needed = set()
        missing = 0
        for account_sid, sid in names:
            relative = Path(account_sid, sid[2:4], sid)
            needed.add(relative)
            missing += not self._copy(relative)
        for path in list(self._target.glob("AC*/*/*")):
            if path.relative_to(self._target) not in needed:
                path.unlink()
        return len(needed) - missing, missing

    def _copy(self, relative: Path) -> bool:
        """Return whether the file exists in the copy, after copying it if necessary."""
        target = self._target / relative
        if target.exists():
            return True
        make_private_folders(target.parent)
        try:
            copy_file(self._source / relative, target)
        except FileNotFoundError:  # Deleted since it was listed.
            return False
        return True


def copy_file(source: Path, target: Path) -> None:
    """Copy one file with mode 0600, and sync it."""
    with source.open("rb") as from_:
        write_file(target, iter(lambda: from_.read(_COPY_BYTES), b""))


def write_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Create a file with mode 0600, and sync it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Sync the directory entries of a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sums(folder: Path) -> bytes:
    """Return the checksum of every file, in the format of ``sha256sum --check``."""
    lines = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != CHECKSUMS:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append(f"{digest}  {name}\n")
    return "".join(lines).encode()


def _page_reporter(report: Callable[[str], None]) -> Callable[[int, int], None]:
    def report_pages(done: int, in_all: int) -> None:
        report(f"database: {done} of {in_all} pages")

    return report_pages
