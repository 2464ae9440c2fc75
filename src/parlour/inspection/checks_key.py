"""The doctor's check that the key file belongs to the database, as `serve` does at startup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.inspection.checks import Finding
from parlour.store.engines import DATABASE_NAME
from parlour.store.key_file import KEY_NAME, UnsafeKeyFileError, read_vault
from parlour.store.sqlite.online_backup import DamagedDatabaseError, recorded_fingerprint
from parlour.vocabulary.clock import SystemRandom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STOPS = "The server would not start"


def check_embedded_key(data: Path) -> Iterator[Finding]:
    """Yield the findings about the key of the embedded database, if there is one."""
    path = data / DATABASE_NAME
    try:
        if not path.exists():
            return
        fingerprint = recorded_fingerprint(path)
    except DamagedDatabaseError as error:
        yield Finding(f"The database cannot be read: {error}.", f"{_STOPS}: restore a backup.")
        return
    except OSError:
        return  # Reported by the checks of the folder.
    yield from check_key(data, fingerprint, str(path))


def check_key(data: Path, fingerprint: str, database: str) -> Iterator[Finding]:
    """Yield the findings about the key file of a database with a recorded fingerprint.

    ``fingerprint`` is empty if none is recorded: in a new database, or by an earlier version.
    """
    path = data / KEY_NAME
    try:
        if not path.exists():
            if fingerprint:
                yield Finding(
                    f"There is no key file {path}, and {database} has secrets of the key "
                    f"{fingerprint}.",
                    f"{_STOPS}: copy its key file to {path} (mode 600).",
                )
            return
        found = read_vault(path, SystemRandom()).fingerprint
    except (OSError, UnsafeKeyFileError):
        return  # Reported by the checks of the folder.
    if fingerprint and found != fingerprint:
        yield Finding(
            f"{path} is the key {found}, but {database} belongs to the key {fingerprint}.",
            f"{_STOPS}: copy that key file to {path}, or name the database of this key.",
        )
