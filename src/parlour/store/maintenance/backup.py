"""Backups of a data folder: the embedded database and media, as of one moment, in one folder.

Media are copied before the database and once more after it. A file never changes and is on disk
before a row names it; so whatever the copied rows name was there at one of the two times, even if
it was removed between them. What no copied row names is not kept: it was removed, or is too new.

The key is not part of it unless that is asked for. Without the key nobody can read the secrets in
a backup, and with another key the server could not either: so the manifest holds the key's
fingerprint, and a restored folder is only complete with that key.
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
    """What a backup says of itself."""

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
    """What stands where in a data folder, and so in a backup of it."""

    folder: Path
    database_name: str
    media_name: str
    key_name: str

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / self.database_name

    @property
    def media(self) -> Path:
        """The folder of media."""
        return self.folder / self.media_name

    @property
    def key(self) -> Path:
        """The key file."""
        return self.folder / self.key_name

    @property
    def names(self) -> BackupNames:
        """The names of files in a backup."""
        known = {MANIFEST, CHECKSUMS, self.database_name, self.key_name}
        return BackupNames(frozenset(known), self.media_name)

    def at(self, folder: Path) -> DataPaths:
        """The same in another folder."""
        return msgspec.structs.replace(self, folder=folder)


class BackupFacts(msgspec.Struct, frozen=True):
    """What a backup is told about the server, because it cannot know."""

    version: str
    date: str
    key_fingerprint: str


def make_backup(
    data: DataPaths,
    target: Path,
    facts: BackupFacts,
    tell: Callable[[str], None],
    *,
    with_key: bool,
) -> Manifest:
    """Back a data folder up into a new folder; it has its name only once it is whole."""
    if target.exists():
        raise BackupError(f"{target} is there already")
    if not data.database.exists():
        raise BackupError(f"there is no {data.database}")
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=PRIVATE_FOLDER)
    backup = data.at(unfinished)
    copies = _Copies(data.media, backup.media)
    tell("media")
    copies.copy_all()
    tell("database")
    copied = copy_database(data.database, backup.database, _told_pages(tell))
    backup.database.chmod(PRIVATE_FILE)
    if copied.migrations != tuple(each.name for each in migrations()):
        raise BackupError("the server has not been started with this version yet")
    belongs = key_fingerprint_of(backup.database)
    if belongs not in {"", facts.key_fingerprint}:
        raise BackupError(
            f"{data.key} is the key {facts.key_fingerprint}, but {data.database} belongs to the "
            f"key {belongs}: copy that key file to {data.key}"
        )
    tell("media since then")
    kept, missing = copies.keep_only(media_of(backup.database))
    if with_key:
        copy_file(data.key, backup.key)
    manifest = Manifest(
        format=FORMAT,
        version=facts.version,
        date=facts.date,
        position=copied.position,
        migrations=copied.migrations,
        media_files=kept,
        media_missing=missing,
        key_fingerprint=facts.key_fingerprint,
        holds_key=with_key,
    )
    write_file(
        backup.folder / MANIFEST, [msgspec.json.format(msgspec.json.encode(manifest)), b"\n"]
    )
    tell("checksums")
    write_file(backup.folder / CHECKSUMS, [_sums(backup.folder)])
    sync_folder(unfinished)
    unfinished.rename(target)
    sync_folder(target.parent)
    return manifest


class _Copies:
    """Files of media, copied from one folder into another that has the same shape."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source, self._target = source, target

    def copy_all(self) -> None:
        """Copy every file that is there now; the unfinished ones have no name of their own."""
        for path in sorted(self._source.glob("AC*/*/*")):
            self._copy(path.relative_to(self._source))

    def keep_only(self, names: Iterator[tuple[str, str]]) -> tuple[int, int]:
        """Have exactly these; how many there are, and how many are nowhere."""
        wanted = set()
        missing = 0
        for account_sid, sid in names:
            relative = Path(account_sid, sid[2:4], sid)
            wanted.add(relative)
            missing += not self._copy(relative)
        for path in list(self._target.glob("AC*/*/*")):
            if path.relative_to(self._target) not in wanted:
                path.unlink()
        return len(wanted) - missing, missing

    def _copy(self, relative: Path) -> bool:
        """Whether the file is there afterwards."""
        target = self._target / relative
        if target.exists():
            return True
        make_private_folders(target.parent)
        try:
            copy_file(self._source / relative, target)
        except FileNotFoundError:
            return False
        return True


def copy_file(source: Path, target: Path) -> None:
    """Copy one file, readable by its owner alone, and have it on disk."""
    with source.open("rb") as from_:
        write_file(target, iter(lambda: from_.read(_COPY_BYTES), b""))


def write_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Make a new file for its owner alone, and have it on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sums(folder: Path) -> bytes:
    """The checksum of every file, in the form that ``sha256sum --check`` reads."""
    lines = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != CHECKSUMS:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append(f"{digest}  {name}\n")
    return "".join(lines).encode()


def _told_pages(tell: Callable[[str], None]) -> Callable[[int, int], None]:
    def told(done: int, in_all: int) -> None:
        tell(f"database: {done} of {in_all} pages")

    return told
