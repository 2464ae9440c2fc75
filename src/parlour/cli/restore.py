"""``parlour restore``: creates a data folder from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from parlour.cli.backup import TAR, layout_of, report_backup_errors
from parlour.cli.backup_archives import TarSource
from parlour.cli.options import settings_options
from parlour.cli.progress import Progress
from parlour.store.key_file import UnsafeKeyFileError, read_vault
from parlour.store.maintenance.backup_sources import BackupError, FolderSource
from parlour.store.maintenance.restore import Restore
from parlour.vocabulary.clock import SystemRandom

if TYPE_CHECKING:
    from parlour.store.maintenance.backup import Manifest


@click.command("restore")
@click.argument("backup", type=click.Path(path_type=Path, exists=True))
@settings_options("data")
@click.option(
    "--key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The key file, if it is not in the backup.",
)
def command(*, backup: Path, data: Path, key: Path | None) -> None:
    """Restore BACKUP, a folder or a .tar file, into the new data folder."""
    with report_backup_errors():
        manifest = _restore(backup, data, key)
    click.echo(
        f"{data} is restored to {manifest.date}, with every event up to {manifest.position}."
    )


def _restore(backup: Path, data: Path, key: Path | None) -> Manifest:
    target, progress = layout_of(data), Progress()
    progress("checking the backup")
    source = (TarSource if backup.suffix == TAR else FolderSource)(backup, target.names)
    restore = Restore(source, backup)
    manifest = restore.manifest
    if key is None and not manifest.holds_key:
        raise BackupError(f"the key {manifest.key_fingerprint} is not in it: give it with --key")
    if key is not None:
        _check_key(key, manifest)
    restore.run(target, key, lambda path: _check_key(path, manifest), progress)
    return manifest


def _check_key(key: Path, manifest: Manifest) -> None:
    try:
        fingerprint = read_vault(key, SystemRandom()).fingerprint
    except UnsafeKeyFileError as error:
        raise BackupError(str(error)) from error
    if fingerprint != manifest.key_fingerprint:
        text = f"{key} is the key {fingerprint}, the backup needs {manifest.key_fingerprint}"
        raise BackupError(text)
