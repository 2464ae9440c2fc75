"""Which key a store belongs to: the fingerprint of its key file, kept in the database.

With another key nothing that is sealed can be opened and no login is recognised. So a process
compares before it does anything else, and ends if the key is not the store's.

| key file | database | answer |
|---|---|---|
| there | its fingerprint | go on |
| there | another fingerprint | `WrongKeyError` |
| there | no fingerprint, secrets that it opens (a store of an earlier version) | record it |
| there | no fingerprint, secrets that it does not open | `WrongKeyError` |
| there | no fingerprint, no secrets (a new store) | record it |
| missing | a fingerprint or secrets | `MissingKeyError`: a new key would open nothing |
| missing | neither (a new store) | make a key, record it |
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
# tidy: account-in-sql - the key is that of all accounts
SEALED: Final = "SELECT name, secret_sealed FROM login ORDER BY name, ordinal LIMIT 100"


class WrongKeyError(KeyFileError):
    """The key file is that of another store."""


class MissingKeyError(KeyFileError):
    """The store has secrets, and its key file is not there."""


class _Known(NamedTuple):
    """What a database says of its key: a fingerprint, and some of what it sealed."""

    fingerprint: str
    sealed: list[tuple[str, str]]


async def open_vault(store: Store, data: Path, random: SystemRandom, database: str) -> Vault:
    """Return the vault of a store that is started; `database` is how messages call it.

    Makes a key for a new store only. Raises KeyFileError, and OSError.
    """
    path = (data / KEY_NAME).absolute()
    known = await store.read(_known)
    if not path.exists():
        if known.fingerprint or known.sealed:
            raise MissingKeyError(_missing(path, known.fingerprint, database))
        make_key(path, random)
    vault = read_vault(path, random)
    fingerprint = known.fingerprint
    if not fingerprint:
        _must_open(vault, known.sealed, path, database)
        # Another node may have been quicker: then its key counts.
        fingerprint = await store.write(_recording(vault.fingerprint))
    if fingerprint != vault.fingerprint:
        raise WrongKeyError(
            f"{path} is the key {vault.fingerprint}, but {database} belongs to the key "
            f"{fingerprint}: copy that key file to {path}, or name the database of this key"
        )
    return vault


async def _known(tx: Transaction) -> _Known:
    row = await tx.one(FETCH)
    if row is not None:
        return _Known(row[0], [])
    return _Known("", [(name, sealed) for name, sealed in await tx.all(SEALED)])


def _recording(fingerprint: str) -> Work[str]:
    async def record(tx: Transaction) -> str:
        await tx.run(RECORD, fingerprint)
        row = await tx.one(FETCH)
        assert row is not None
        return str(row[0])

    return record


def _must_open(vault: Vault, sealed: list[tuple[str, str]], path: Path, database: str) -> None:
    """Raise WrongKeyError unless the key opens most secrets.

    Not all: an earlier version with another key could replace some of them.
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
