"""``parlour backup``: a snapshot of the embedded database and media, while the server runs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tarfile
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from parlour.cli.command_errors import report_errors
from parlour.cli.local_store import LocalStore, NoStoreError
from parlour.cli.options import settings_of, settings_options
from parlour.cli.progress import Progress
from parlour.resources.operator_reports import actions as operator_report_actions
from parlour.store.blobs import MEDIA_FOLDER
from parlour.store.engines import DATABASE_NAME
from parlour.store.folder_lock import FolderInUseError
from parlour.store.key_file import KEY_NAME, KeyFileError, read_vault
from parlour.store.maintenance.backup import (
    BackupFacts,
    DataPaths,
    Manifest,
    make_backup,
    sync_folder,
)
from parlour.store.maintenance.backup_sources import BackupError
from parlour.store.private_files import PRIVATE_FILE
from parlour.store.sqlite.online_backup import DamagedDatabaseError
from parlour.vocabulary.clock import SystemClock, SystemRandom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.config import Settings

TAR: Final = ".tar"


def layout_of(data: Path) -> DataPaths:
    """Return the layout of a data folder."""
    return DataPaths(data, DATABASE_NAME, MEDIA_FOLDER, KEY_NAME)


@contextlib.contextmanager
def report_backup_errors() -> Iterator[None]:
    """End the command with one line for an error of a backup."""
    try:
        yield
    except (
        BackupError,
        DamagedDatabaseError,
        FolderInUseError,
        KeyFileError,
        OSError,
        tarfile.TarError,
    ) as error:
        raise click.ClickException(str(error)) from error


@click.command("backup")
@click.argument("target", type=click.Path(path_type=Path), required=False)
@settings_options("data", "database")
@click.option(
    "--with-key", is_flag=True, help="Include the key file; then protect the backup like the key."
)
@click.option(
    "--record",
    is_flag=True,
    help="Make none: record that another tool, such as pg_dump, has made one now.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    *,
    target: Path | None,
    data: Path,
    database: str,
    with_key: bool,
    record: bool,
    as_json: bool,
) -> None:
    """Back up the data folder into the new folder TARGET, or a file if it ends with .tar.

    The server may run. Without --with-key, store the key file elsewhere: a backup cannot be
    restored without it. Its time is recorded, and shown to operators.
    """
    if (target is None) is not record:
        raise click.UsageError("name either TARGET or --record")
    settings = settings_of({"data": data, "database": database})
    if target is None:
        _record(settings)
        return
    if database:
        raise click.UsageError(
            "a PostgreSQL server is backed up by its own tools: pg_dump, or pg_basebackup"
        )
    with report_backup_errors():
        manifest = _make(target, data, with_key=with_key)
    try:
        _record(settings)
    except click.ClickException as error:
        # The backup is there: the rest must not make it a failure.
        click.echo(f"The time of this backup was not recorded: {error.message}", err=True)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(manifest)))
        return
    click.echo(f"{target} contains every event up to number {manifest.position}.")
    if manifest.media_missing:
        click.echo(f"Media files missing in the data folder: {manifest.media_missing}.")
    if not with_key:
        click.echo(f"It needs the key {manifest.key_fingerprint}, {data / KEY_NAME}: keep it too.")


def _record(settings: Settings) -> None:
    """Record that a backup was made. Raises ClickException."""
    try:
        with report_errors():
            LocalStore(settings).write(operator_report_actions.record_backup)
    except (NoStoreError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _make(target: Path, data: Path, *, with_key: bool) -> Manifest:
    data = data.absolute()
    source, progress = layout_of(data), Progress()
    if not source.key.exists() and not source.database.exists():
        raise BackupError(f"there is no store in {data}: name its folder with --data")
    if not source.key.exists():
        raise BackupError(
            f"there is no {KEY_NAME} in {data}: copy the key file of its database there"
        )
    now = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)
    facts = BackupFacts(
        version=metadata.version("parlour"),
        date=now.isoformat(timespec="seconds"),
        key_fingerprint=read_vault(source.key, SystemRandom()).fingerprint,
    )
    if target.suffix != TAR:
        return make_backup(source, target, facts, progress, with_key=with_key)
    return _make_archive(source, target, facts, progress, with_key=with_key)


def _make_archive(
    source: DataPaths, target: Path, facts: BackupFacts, progress: Progress, *, with_key: bool
) -> Manifest:
    """Write a backup as one file; temporary names derive from its name, so none collides."""
    if target.exists():
        raise BackupError(f"{target} already exists")
    folder = target.with_name(f".{target.name}.folder")
    shutil.rmtree(folder, ignore_errors=True)  # Left behind by a killed run.
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        manifest = make_backup(source, folder, facts, progress, with_key=with_key)
        progress("packing")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as packed:
                packed.add(folder, arcname=target.stem)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(target)
        sync_folder(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    return manifest
