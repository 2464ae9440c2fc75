"""Actions on push credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.resources.changes import change_emitter
from parlour.resources.credentials import store as credential_store
from parlour.resources.credentials.store import Credential, CredentialSecrets
from parlour.resources.in_path import in_path
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.dates import updated

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.credentials.parameters import CreateCredential, UpdateCredential
    from parlour.store.transaction import Transaction

APN = "apn"


credential_in_path = in_path(sids.CREDENTIAL, credential_store.find_credential)
_emit_change = change_emitter(
    Credential, event_names.ACCOUNT_CHANGED, "credential", secrets_sealed=None
)


async def list_credentials(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of the account's credentials."""
    return Rows(await credential_store.list_credentials(tx, call.scope, call.page_request))


async def create_credential(tx: Transaction, call: Call[CreateCredential]) -> Credential:
    """Create a credential."""
    given = call.parameters.given()
    blank = Credential(
        account_sid=call.scope.account_sid,
        sid=tx.new_sid(sids.CREDENTIAL),
        sequence=tx.next_sequence(),
        friendly_name=None,
        type=given["type"],
        sandbox=None,
        secrets_sealed=None,
        date_created=tx.now,
        date_updated=tx.now,
    )
    credential = _changed(blank, call, given)
    await credential_store.insert_credential(tx, call.scope, credential)
    await _emit_change(tx, call.scope, credential)
    return credential


async def fetch_credential(tx: Transaction, call: Call[NoParameters]) -> Credential:
    """Return the credential that the path names."""
    return await credential_in_path(tx, call)


async def update_credential(tx: Transaction, call: Call[UpdateCredential]) -> Credential:
    """Update a credential; secrets that are absent are retained."""
    before = await credential_in_path(tx, call)
    after = updated(_changed(before, call, call.parameters.given()), tx.now)
    await credential_store.update_credential_row(tx, call.scope, after)
    await _emit_change(tx, call.scope, after)
    return after


def _changed(before: Credential, call: Call[Any], given: dict[str, Any]) -> Credential:
    """Return the credential with the values that were sent, secrets sealed."""
    kind = given.get("type", before.type)
    sandbox = str(given["sandbox"]) if "sandbox" in given else (before.sandbox or "False")
    sent = {name: given[name] for name in CredentialSecrets.__struct_fields__ if name in given}
    sealed = before.secrets_sealed
    if sent:
        secrets = msgspec.structs.replace(
            credential_store.unseal_secrets(call.vault, before), **sent
        )
        sealed = credential_store.seal_secrets(call.vault, before.sid, secrets)
    return msgspec.structs.replace(
        before,
        type=kind,
        friendly_name=given.get("friendly_name", before.friendly_name),
        sandbox=sandbox if kind == APN else None,
        secrets_sealed=sealed,
    )


async def delete_credential(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a credential; push bindings keep its sid."""
    credential = await credential_in_path(tx, call)
    await credential_store.delete_credential_row(tx, call.scope, credential.sid)
    await _emit_change(tx, call.scope, credential)
