"""``parlour restore``: a new data folder of a backup."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import click

from parlour.app import UnsafeKeyFileError, read_vault
from parlour.cli.backup import TAR, places, told_errors
from parlour.cli.options import settings_options
from parlour.cli.progress import Progress
from parlour.store.backups import BackupError, Manifest, Places, read_manifest, restore_backup
from parlour.vocabulary.clock import SystemRandom


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
    with told_errors():
        if backup.suffix != TAR:
            manifest = _restored(places(backup), data, key)
        else:
            manifest = _unpacked(backup, data, key)
    click.echo(f"{data} is as of {manifest.date}, with every event up to {manifest.position}.")


def _unpacked(packed: Path, data: Path, key: Path | None) -> Manifest:
    """Restore a packed backup, from a folder beside the data folder that is removed again."""
    data.parent.mkdir(parents=True, exist_ok=True)
    folder = data.with_name(f".{data.name}.unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        (backup,) = folder.iterdir()
        return _restored(places(backup), data, key)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _restored(backup: Places, data: Path, key: Path | None) -> Manifest:
    progress = Progress()
    progress("checking the backup")
    manifest = read_manifest(backup.folder)
    if key is None and not manifest.holds_key:
        raise BackupError(f"the key {manifest.key_fingerprint} is not in it: give it with --key")
    key = key or backup.key
    _must_be_its_key(key, manifest)
    restore_backup(backup, places(data), key, progress)
    return manifest


def _must_be_its_key(key: Path, manifest: Manifest) -> None:
    try:
        fingerprint = read_vault(key, SystemRandom()).fingerprint
    except (UnsafeKeyFileError, ValueError) as error:
        raise BackupError(str(error)) from error
    if fingerprint != manifest.key_fingerprint:
        text = f"{key} is the key {fingerprint}, the backup needs {manifest.key_fingerprint}"
        raise BackupError(text)
