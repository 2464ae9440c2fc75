"""File modes of a data folder: no access for group and others, regardless of the umask.

SQLite creates a database with the mode that the umask permits, and the write-ahead log and shared
memory next to it with the mode of the database. So the database file is created here first.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_SUFFIXES: Final = ("", "-wal", "-shm")


def database_files(path: Path) -> Iterator[Path]:
    """Yield the paths of a SQLite database and of the files that SQLite creates next to it."""
    for suffix in _SUFFIXES:
        yield path.with_name(path.name + suffix)


def create_private_database(path: Path) -> None:
    """Create an empty database file with mode 0600, or set that mode on existing files.

    The mode of another user's file is not changed: ``serve`` and the doctor report it. Raises
    OSError if the file cannot be created.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))
    for each in database_files(path):
        if each.exists() and each.stat().st_uid == os.geteuid():
            each.chmod(PRIVATE_FILE)


def make_private_folders(folder: Path) -> None:
    """Create a folder and its missing parents, each with mode 0700."""
    if not folder.exists():
        make_private_folders(folder.parent)
        folder.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)


def is_open_to_others(path: Path) -> bool:
    """Return whether the group or others have any access to an existing file or folder."""
    return path.exists() and bool(path.stat().st_mode & _OTHERS)
