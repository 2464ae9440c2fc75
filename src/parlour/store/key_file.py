"""The key file of a data folder: created once, readable by its owner only."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from parlour.protocol.vault import KEY_BYTES, Vault

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.vocabulary.clock import SystemRandom

KEY_NAME: Final = "parlour.key"


class KeyFileError(Exception):
    """The key file cannot be used; the text is the reason and the remedy."""


class UnsafeKeyFileError(KeyFileError):
    """The key file is readable by others, or does not contain a key."""


def load_vault(data: Path, random: SystemRandom) -> Vault:
    """Return the vault of a data folder; creates a key if there is none.

    For a store that may exist already, use `master_key.open_vault`.
    """
    path = data / KEY_NAME
    if not path.exists():
        make_key(path, random)
    return read_vault(path, random)


def read_vault(path: Path, random: SystemRandom) -> Vault:
    """Return the vault of a key file. Raises UnsafeKeyFileError."""
    if not path.is_file():  # Reading a FIFO would block.
        raise UnsafeKeyFileError(f"{path} is not a file")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnsafeKeyFileError(f"{path} can be read by others: chmod 600 {path}")
    try:
        key = bytes.fromhex(path.read_bytes().decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise UnsafeKeyFileError(f"{path} is not a key of {KEY_BYTES} bytes in hexadecimal digits")
    return Vault(key, random.token)


def make_key(path: Path, random: SystemRandom) -> None:
    """Create a key atomically: the file gets its name only after it is synced."""
    unfinished = path.with_name(f"{path.name}.{random.token(8).hex()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(random.token(KEY_BYTES).hex())
        file.flush()
        os.fsync(file.fileno())
    # link() fails if the name exists, rename() would replace it.
    # If another process has created one in the meantime, that one is used.
    with contextlib.suppress(FileExistsError):
        os.link(unfinished, path)
    unfinished.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
