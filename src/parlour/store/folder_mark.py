"""The mark of test data: a file in the data folder of a server in test mode.

Test functions delete everything on request, so they must never meet other data:

==================  ==========================  ========================
folder              a server in test mode       any other server
==================  ==========================  ========================
marked              starts                      refuses to start
empty, or new       marks it, and starts        starts
anything else       refuses to start            starts
==================  ==========================  ========================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MARK_NAME: Final = "test-data"
_TEXT: Final = "The data in this folder belong to test mode: any client can delete them.\n"


class WrongFolderError(Exception):
    """The folder is not for this kind of server; the text is the folder and the remedy."""


def require_mark(folder: Path) -> None:
    """Mark an empty folder as test data. Raises WrongFolderError for other data, and OSError."""
    if (folder / MARK_NAME).exists():
        return
    if any(folder.iterdir()):
        raise WrongFolderError(
            f"{folder} is not empty and has no test data: test mode deletes data. Name another "
            "folder, or none."
        )
    (folder / MARK_NAME).write_text(_TEXT)


def require_no_mark(folder: Path) -> None:
    """Raise WrongFolderError for a folder with test data."""
    if (folder / MARK_NAME).exists():
        raise WrongFolderError(
            f"{folder} has the data of test mode: start the server with --test, or name another "
            "folder."
        )
