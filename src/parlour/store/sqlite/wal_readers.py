"""Which other processes hold a snapshot of the SQLite database.

A reader of a database in WAL mode holds a shared lock on one of five bytes of the ``-shm`` file.
Linux lists such locks in ``/proc/locks``. The file itself must not be opened here: closing it would
release every lock that this process has on it (POSIX).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

LOCKS: Final = Path("/proc/locks")
# WAL_READ_LOCK(0) to WAL_READ_LOCK(4) of SQLite's wal.c, from UNIX_SHM_BASE of os_unix.c on.
_FIRST_BYTE: Final = 123
_LAST_BYTE: Final = 127
_FIELDS: Final = 8
UNKNOWN: Final = "an unknown process"


def readers_of(index: Path) -> list[str]:
    """Return a description of each other process that holds a snapshot, by its ``-shm`` file."""
    try:
        inode = index.stat().st_ino
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return [UNKNOWN]  # Not Linux.
    pids = {pid for line in lines if (pid := _reader(line, inode)) is not None}
    pids.discard(os.getpid())
    return [_description(pid) for pid in sorted(pids)] or [UNKNOWN]


def _reader(line: str, inode: int) -> int | None:
    """Return the process of a lock if a reader of this file holds it.

    A line is ``1: POSIX  ADVISORY  READ 4711 08:01:262146 124 124``.
    """
    fields = line.split()
    if len(fields) != _FIELDS or fields[1] != "POSIX" or fields[5].split(":")[-1] != str(inode):
        return None
    first, last = int(fields[6]), _LAST_BYTE if fields[7] == "EOF" else int(fields[7])
    return int(fields[4]) if first <= _LAST_BYTE and last >= _FIRST_BYTE else None


def _description(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return f"process {pid}" if pid > 0 else "a process of another container"
    # No other arguments: they may be secrets.
    if "backup" in words and any(Path(word).name == "parlour" for word in words):
        return f"process {pid} (parlour backup)"
    return f"process {pid} ({name})"
