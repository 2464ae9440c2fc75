"""The lock of a data folder: one server at a time for a SQLite database.

The lock is an advisory lock on the folder itself (``flock``), which ends with its process: a server
that is killed leaves no lock file. `serve`, `restore` and `migrate-store` take it. Commands such as
`account create` do not, since SQLite lets them write while one server runs. Two servers would each
deliver webhooks, and cache settings without invalidating the cache of the other.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = structlog.get_logger()

_HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
# Errors of file systems without such locks, such as some network file systems.
_WITHOUT_LOCKS: Final = frozenset({errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


class FolderInUseError(Exception):
    """Another process has the lock; the text is the folder and the remedy."""


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock an existing folder until the end of the block. Raises FolderInUseError, and OSError."""
    descriptor = _locked(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(folder: Path) -> int:
    """Return a descriptor that holds the lock of the folder now at this path."""
    while True:  # tidy: bounded - again only if the folder was replaced between two calls
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _lock(descriptor, folder)
            now, opened = folder.stat(), os.fstat(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        # The path may have been replaced (by a restore) between the opening and the lock.
        if (now.st_dev, now.st_ino) == (opened.st_dev, opened.st_ino):
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            raise FolderInUseError(
                f"{folder.absolute()} is in use: stop the server first (or let restore or "
                "migrate-store end), or name another folder with --data"
            ) from error
        if error.errno not in _WITHOUT_LOCKS:
            raise
        log.warning("data_folder_lock_failed", reason=error.strerror)
