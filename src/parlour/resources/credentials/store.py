"""Push credentials as rows. Their secrets are kept sealed, bound to the credential's sid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, update, values_of, window
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Credential(msgspec.Struct, frozen=True):
    """One push credential. ``sandbox`` is the text True or False, None if not for apn."""

    account_sid: str
    sid: str
    sequence: int
    friendly_name: str | None
    type: str
    sandbox: str | None
    secrets_sealed: str | None
    date_created: int
    date_updated: int


class CredentialSecrets(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a push service is shown: never in an answer, an event or a log."""

    certificate: str | None = None
    private_key: str | None = None
    api_key: str | None = None
    secret: str | None = None


INSERT = insert("credential", Credential)
UPDATE = update("credential", Credential, key=("account_sid", "sid"))
FETCH = statement(
    "SELECT {columns} FROM credential WHERE account_sid = $1 AND sid = $2", Credential
)
LIST = window(
    "SELECT {columns} FROM credential WHERE account_sid = $1",
    Credential,
    order="sequence",
    arguments=1,
)
DELETE = "DELETE FROM credential WHERE account_sid = $1 AND sid = $2"


def seal_secrets(vault: Vault, sid: str, secrets: CredentialSecrets) -> str:
    """The secrets of the credential with this sid, as its row holds them."""
    return vault.seal(msgspec.json.encode(secrets).decode(), sid)


def unseal_secrets(vault: Vault, credential: Credential) -> CredentialSecrets:
    """The secrets of a credential, for the push service."""
    if credential.secrets_sealed is None:
        return CredentialSecrets()
    text = vault.unseal(credential.secrets_sealed, credential.sid)
    return msgspec.json.decode(text, type=CredentialSecrets)


async def insert_credential(tx: Transaction, scope: Scope, credential: Credential) -> None:
    """Keep a new credential."""
    assert credential.account_sid == scope.account_sid
    await tx.run(INSERT, *values_of(credential))


async def find_credential(tx: Transaction, scope: Scope, sid: str) -> Credential | None:
    """The credential with this sid, if the account has it."""
    row = await tx.one(FETCH, scope.account_sid, sid)
    return Credential(*row) if row else None


async def list_credentials(tx: Transaction, scope: Scope, request: PageRequest) -> list[Credential]:
    """The account's credentials, oldest first."""
    rows = await read_window(tx, LIST, request, scope.account_sid)
    return [Credential(*row) for row in rows]


async def update_credential_row(tx: Transaction, scope: Scope, credential: Credential) -> None:
    """Write every changeable column of one credential."""
    assert credential.account_sid == scope.account_sid
    count = await tx.run(UPDATE, *values_of(credential))
    assert count == 1, credential.sid


async def delete_credential_row(tx: Transaction, scope: Scope, sid: str) -> int:
    """Delete the row; how many that was."""
    return await tx.run(DELETE, scope.account_sid, sid)
