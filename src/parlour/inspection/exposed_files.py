"""Files of a data folder that other users can access: for the doctor, and a warning of `serve`.

Separate from the doctor's checks, which import the library for certificates and so slow down a
start.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from parlour.store.blobs import MEDIA_FOLDER
from parlour.store.engines import DATABASE_NAME
from parlour.store.private_files import database_files, is_open_to_others

if TYPE_CHECKING:
    from pathlib import Path


def exposed_paths(data: Path) -> list[Path]:
    """Return the paths that group or others can access; the key is checked separately."""
    inner = [*database_files(data / DATABASE_NAME), data / MEDIA_FOLDER]
    return [path for path in (data, *inner) if is_open_to_others(path)]


def chmod_command(path: Path) -> str:
    """Return the command that restricts a path to its owner."""
    return f"chmod {'700' if path.is_dir() else '600'} {quote(str(path))}"
