"""The key of a store: the fingerprint of its key file, recorded in the database.

With another key no secret can be decrypted and no login is valid. So a process compares before it
does anything else, and exits if the key is not the store's.

| key file | database | result |
|---|---|---|
| exists | its fingerprint | use it |
| exists | another fingerprint | `WrongKeyError` |
| exists | no fingerprint, secrets that it opens (a store of an earlier version) | record it |
| exists | no fingerprint, secrets that it does not open | `WrongKeyError` |
| exists | no fingerprint, no secrets (a new store) | record it |
| missing | a fingerprint or secrets | `MissingKeyError`: a new key would open nothing |
| missing | neither (a new store) | create a key, record it |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.store.key_file import KEY_NAME, KeyFileError, make_key, read_vault

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Store, Transaction, Work
    from parlour.vocabulary.clock import SystemRandom

FETCH: Final = "SELECT fingerprint FROM master_key WHERE name = 'current'"
RECORD: Final = """
INSERT INTO master_key (name, fingerprint) VALUES ('current', $1) ON CONFLICT DO NOTHING
"""
# tidy: account-in-sql - all accounts share the key
SEALED: Final = "SELECT name, secret_sealed FROM login ORDER BY name, ordinal LIMIT 100"


class WrongKeyError(KeyFileError):
    """The key file belongs to another store."""


class MissingKeyError(KeyFileError):
    """The store has secrets, and its key file is missing."""


class _KeyRecord(NamedTuple):
    """The records of the key in a database: its fingerprint, or a sample of sealed secrets."""

    fingerprint: str
    sealed: list[tuple[str, str]]


async def open_vault(store: Store, data: Path, random: SystemRandom, database: str) -> Vault:
    """Return the vault of a started store; `database` is its name in messages.

    Creates a key for a new store only. Raises KeyFileError, and OSError.
    """
    path = (data / KEY_NAME).absolute()
    record = await store.read(_read_key_record)
    if not path.exists():
        if record.fingerprint or record.sealed:
            raise MissingKeyError(_missing(path, record.fingerprint, database))
        make_key(path, random)
    vault = read_vault(path, random)
    fingerprint = record.fingerprint
    if not fingerprint:
        _require_opens(vault, record.sealed, path, database)
        # If another node has recorded its key in the meantime, that one is valid.
        fingerprint = await store.write(_recording(vault.fingerprint))
    if fingerprint != vault.fingerprint:
        raise WrongKeyError(
            f"{path} is the key {vault.fingerprint}, but {database} belongs to the key "
            f"{fingerprint}: copy that key file to {path}, or name the database of this key"
        )
    return vault


async def _read_key_record(tx: Transaction) -> _KeyRecord:
    row = await tx.one(FETCH)
    if row is not None:
        return _KeyRecord(row[0], [])
    return _KeyRecord("", [(name, sealed) for name, sealed in await tx.all(SEALED)])


def _recording(fingerprint: str) -> Work[str]:
    async def record(tx: Transaction) -> str:
        await tx.run(RECORD, fingerprint)
        row = await tx.one(FETCH)
        assert row is not None
        return str(row[0])

    return record


def _require_opens(vault: Vault, sealed: list[tuple[str, str]], path: Path, database: str) -> None:
    """Raise WrongKeyError unless the key opens most secrets.

    Not all: an earlier version could seal some of them with another key.
    """
    opened = sum(vault.can_unseal(text, name) for name, text in sealed)
    if opened * 2 < len(sealed):
        raise WrongKeyError(
            f"{path} is the key {vault.fingerprint}, which opens {opened} of {len(sealed)} secrets "
            f"in {database}: it belongs to another key file, which has to be copied to {path}"
        )


def _missing(path: Path, fingerprint: str, database: str) -> str:
    name = f"the key {fingerprint}" if fingerprint else "a key"
    return (
        f"there is no key file {path}, and {database} has secrets of {name}: "
        f"copy its key file to {path} (mode 600); a new key could open none of them"
    )
