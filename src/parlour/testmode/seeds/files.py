"""Seed files of a server: loaded at its start, written at its end."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from parlour.testmode.seeds.checker import check_document
from parlour.testmode.seeds.text import content_type_of, read_document, write_json, write_yaml
from parlour.testmode.seeds.variables import MissingVariables, replace_variables
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.startup_error import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from parlour.testmode.seeds.items import SeedItem
    from parlour.testmode.seeds.seeder import Seeder


log = structlog.get_logger()


class SeedFileError(StartupError):
    """A seed file cannot be read, is wrong, or cannot be loaded; the text names the file."""


def read_seed_file(path: Path, environment: Mapping[str, str]) -> SeedItem:
    """Return the checked seed of a file, its variables replaced. Raises `SeedFileError`."""
    try:
        text = replace_variables(path.read_text(encoding="utf-8"), environment)
        document = read_document(text.encode(), content_type_of(path.name))
        return check_document(document)
    except OSError as error:
        raise SeedFileError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SeedFileError(f"{path}: a seed must be UTF-8") from None
    except MissingVariables as error:
        raise SeedFileError(f"{path}: {error}") from None
    except ApiError as error:
        raise SeedFileError(f"{path}: {error.message}") from None


class SeedFiles:
    """The seed files of a start."""

    def __init__(
        self, seeder: Seeder, paths: Sequence[Path], environment: Mapping[str, str]
    ) -> None:
        self._seeder = seeder
        self._paths = tuple(paths)
        self._environment = environment
        self._seeds: list[tuple[Path, SeedItem]] | None = None

    async def load(self, account_sid: str, *, may_steer: bool = True) -> None:
        """Load all files into an account, in their order. Raises `SeedFileError`.

        ``may_steer``: whether they may change the clock and the randomness of the server.

        They are read once: a reset loads the seeds of the start again, even if a file has changed.
        """
        if self._seeds is None:
            # All are checked before the first is loaded.
            self._seeds = await asyncio.to_thread(self._read)
        for path, seed in self._seeds:
            try:
                await self._seeder.load(account_sid, seed, may_steer=may_steer)
            except ApiError as error:
                raise SeedFileError(f"{path}: {error.message}") from None

    def _read(self) -> list[tuple[Path, SeedItem]]:
        return [(path, read_seed_file(path, self._environment)) for path in self._paths]

    @staticmethod
    def require_folder_of(path: Path) -> None:
        """Check at the start that a file can be written at the end. Raises `SeedFileError`."""
        if not path.parent.is_dir():
            raise SeedFileError(f"{path}: {path.parent} is not a folder")
        if path.is_dir():
            raise SeedFileError(f"{path} is a folder: name a file of it")

    async def export(self, account_sid: str, path: Path) -> None:
        """Write an account to a file: JSON if its name ends so, else YAML. Raises `SeedFileError`.

        The file has the whole export, or its previous content.
        """
        try:
            document = await self._seeder.export(account_sid)
            await asyncio.to_thread(_replace_file, path, document)
        except ApiError as error:
            raise SeedFileError(f"{path}: {error.message}") from None
        except OSError as error:
            raise SeedFileError(f"{path}: {error.strerror or error}") from None

    async def export_at_end(self, account_sid: str, path: Path) -> None:
        """Write an account to a file; log a failure, since the server stops anyway."""
        try:
            await self.export(account_sid, path)
        except SeedFileError as error:
            log.error("seed_export_failed", reason=str(error))  # noqa: TRY400 - no bug.


def _replace_file(path: Path, document: dict[str, Any]) -> None:
    """Write a file next to the target, and rename it."""
    is_json = content_type_of(path.name) == "application/json"
    text = write_json(document) if is_json else write_yaml(document)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
