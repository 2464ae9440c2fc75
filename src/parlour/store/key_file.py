"""The key file of a data folder: made once, readable by its owner alone."""

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
    """The key file cannot be used; the text says why, and what to do."""


class UnsafeKeyFileError(KeyFileError):
    """The key file can be read by others, or is not a key."""


def load_vault(data: Path, random: SystemRandom) -> Vault:
    """Return the vault of a data folder; a key is made if there is none.

    For a store that may exist already, use `master_key.open_vault`.
    """
    path = data / KEY_NAME
    if not path.exists():
        make_key(path, random)
    return read_vault(path, random)


def read_vault(path: Path, random: SystemRandom) -> Vault:
    """Return the vault of a key file. Raises UnsafeKeyFileError."""
    if not path.is_file():  # Reading a FIFO would wait for ever.
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
    """A new key. It gets its name only when it is whole and on disk: a crash leaves none or all."""
    unfinished = path.with_name(f"{path.name}.{random.token(8).hex()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(random.token(KEY_BYTES).hex())
        file.flush()
        os.fsync(file.fileno())
    # Another process may have been quicker: then its key counts.
    with contextlib.suppress(FileExistsError):
        os.link(unfinished, path)
    unfinished.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
