"""Routes of push credentials."""

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
from parlour.resources.credentials import actions as credential_actions
from parlour.resources.credentials import parameters as credential_parameters
from parlour.resources.credentials import representation as credential_representation
from parlour.vocabulary import limits

CREDENTIALS = Collection(
    noun="Credential",
    is_setting=True,
    path="/Credentials",
    url_forms=ACCOUNT_ONLY,
    represent=credential_representation.resource,
    specs=(
        list_(credential_actions.list_credentials, key="credentials", maximum=limits.PAGE_SIZE_MAX),
        create(credential_actions.create_credential, credential_parameters.CreateCredential),
        fetch(credential_actions.fetch_credential),
        update(credential_actions.update_credential, credential_parameters.UpdateCredential),
        delete(credential_actions.delete_credential),
    ),
)
