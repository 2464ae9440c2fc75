"""Error messages of commands: for the port, the data folder, the database and the key."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from parlour.cli.options import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """End a command with a message and status 1 for errors that its operator can fix."""
    from parlour.channels.file_faults import CarriersFileError  # noqa: PLC0415 - as below.
    from parlour.http.binding import BindError  # noqa: PLC0415 - help needs none of it.
    from parlour.store.folder_lock import FolderInUseError  # noqa: PLC0415 - as above.
    from parlour.store.folder_mark import WrongFolderError  # noqa: PLC0415 - as above.
    from parlour.store.key_file import KeyFileError  # noqa: PLC0415 - as above.
    from parlour.store.transaction import DatabaseError, Unavailable  # noqa: PLC0415 - as above.
    from parlour.vocabulary.startup_error import StartupError  # noqa: PLC0415 - as above.

    try:
        yield
    except CarriersFileError as error:
        raise SettingsError(error.faults) from error
    except (BindError, FolderInUseError, KeyFileError, StartupError, WrongFolderError) as error:
        raise click.ClickException(str(error)) from error
    except (DatabaseError, Unavailable) as error:
        raise click.ClickException(f"the database cannot be used: {error}") from error
