"""Whether the key file in the data folder is that of the database, as `serve` asks at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.cli.doctor_checks import Finding
from parlour.store.engines import DATABASE_NAME
from parlour.store.key_file import KEY_NAME, UnsafeKeyFileError, read_vault
from parlour.store.sqlite.online_backup import DamagedDatabaseError, recorded_fingerprint
from parlour.vocabulary.clock import SystemRandom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STOPS = "The server would not start"


def check_embedded_key(data: Path) -> Iterator[Finding]:
    """What is wrong with the key of the embedded database; nothing where there is no database."""
    path = data / DATABASE_NAME
    try:
        if not path.exists():
            return
        fingerprint = recorded_fingerprint(path)
    except DamagedDatabaseError as error:
        yield Finding(f"The database cannot be read: {error}.", f"{_STOPS}: restore a backup.")
        return
    except OSError:
        return  # The checks of the folder name it.
    yield from check_key(data, fingerprint, str(path))


def check_key(data: Path, fingerprint: str, database: str) -> Iterator[Finding]:
    """What is wrong with the key file beside a database that belongs to a fingerprint.

    ``fingerprint`` is empty for a database that does not say: a new one, or of an earlier version.
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
        return  # The checks of the folder name it.
    if fingerprint and found != fingerprint:
        yield Finding(
            f"{path} is the key {found}, but {database} belongs to the key {fingerprint}.",
            f"{_STOPS}: copy that key file to {path}, or name the database of this key.",
        )
