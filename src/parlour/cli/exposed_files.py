"""What of a data folder others can reach: the doctor's finding, and a warning of `serve`.

Apart from the doctor's checks, which load the library for certificates: that takes a start longer.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from parlour.app import MEDIA_FOLDER
from parlour.store.engines import DATABASE_NAME
from parlour.store.private_files import database_files, is_open_to_others

if TYPE_CHECKING:
    from pathlib import Path


def exposed_paths(data: Path) -> list[Path]:
    """Return what the group or others can reach of a data folder; its key is checked apart."""
    inner = [*database_files(data / DATABASE_NAME), data / MEDIA_FOLDER]
    return [path for path in (data, *inner) if is_open_to_others(path)]


def chmod_command(path: Path) -> str:
    """Return the command that closes a file or folder to others."""
    return f"chmod {'700' if path.is_dir() else '600'} {quote(str(path))}"
