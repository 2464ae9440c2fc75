"""Push credentials: where they are and what can be done."""

from __future__ import annotations

from parlour.operations.operation import (
    ACCOUNT_ONLY,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.credentials import actions, parameters, representation
from parlour.vocabulary import limits

CREDENTIALS = Collection(
    noun="Credential",
    is_setting=True,
    path="/Credentials",
    url_forms=ACCOUNT_ONLY,
    represent=representation.resource,
    specs=(
        list_(actions.list_credentials, key="credentials", maximum=limits.PAGE_SIZE_MAX),
        create(actions.create_credential, parameters.CreateCredential),
        fetch(actions.fetch_credential),
        update(actions.update_credential, parameters.UpdateCredential),
        delete(actions.delete_credential),
    ),
)
