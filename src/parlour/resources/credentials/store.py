"""Rows of push credentials. Secrets are stored encrypted, bound to the credential's sid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.table import Table
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.protocol.vault import Vault


class Credential(Redacted, msgspec.Struct, frozen=True):
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


class CredentialSecrets(Redacted, msgspec.Struct, frozen=True, omit_defaults=True):
    """The secrets for a push service: never part of a response, an event or a log."""

    certificate: str | None = None
    private_key: str | None = None
    api_key: str | None = None
    secret: str | None = None


TABLE = Table("credential", Credential, key=("account_sid", "sid"))
insert_credential = TABLE.inserter()
find_credential = TABLE.finder()
list_credentials = TABLE.lister()
update_credential_row = TABLE.updater()
delete_credential_row = TABLE.deleter()


def seal_secrets(vault: Vault, sid: str, secrets: CredentialSecrets) -> str:
    """Return the encrypted secrets of the credential with this SID, as stored in its row."""
    return vault.seal(msgspec.json.encode(secrets).decode(), sid)


def unseal_secrets(vault: Vault, credential: Credential) -> CredentialSecrets:
    """Return the decrypted secrets of a credential, for the push service."""
    if credential.secrets_sealed is None:
        return CredentialSecrets()
    text = vault.unseal(credential.secrets_sealed, credential.sid)
    return msgspec.json.decode(text, type=CredentialSecrets)
