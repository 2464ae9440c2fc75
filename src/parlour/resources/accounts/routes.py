"""Routes of accounts and API keys: the parts of the API 2010-04-01 that the SDKs use."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from parlour.operations.operation import (
    ACCOUNT_ONLY,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.protocol.pages import envelope_2010
from parlour.resources.accounts import key_actions as account_key_actions
from parlour.resources.accounts import parameters as account_parameters
from parlour.resources.accounts import representation as account_representation
from parlour.vocabulary import limits

_VERSION: Final = "/2010-04-01"

ACCOUNTS = Collection(
    noun="Account",
    needs_auth_token=True,
    version=_VERSION,
    path="/Accounts",
    instance="{AccountSid}.json",
    url_forms=ACCOUNT_ONLY,
    represent=account_representation.account_resource,
    specs=(fetch(account_key_actions.fetch_account),),
    listed=False,
)

# In this version, paths of collections and of instances end in .json.
KEYS = Collection(
    noun="Key",
    is_setting=True,
    needs_auth_token=True,
    version=_VERSION,
    path="/Accounts/{AccountSid}/Keys.json",
    url_forms=ACCOUNT_ONLY,
    represent=account_representation.key_resource,
    specs=(
        list_(
            account_key_actions.list_keys,
            key="keys",
            maximum=limits.PAGE_SIZE_KEYS_MAX,
            envelope=envelope_2010,
        ),
        replace(
            create(account_key_actions.create_key, account_parameters.ChangeKey),
            represent=account_representation.new_key_resource,
        ),
    ),
    listed=False,
)

KEY = Collection(
    noun="Key",
    is_setting=True,
    needs_auth_token=True,
    version=_VERSION,
    path="/Accounts/{AccountSid}/Keys",
    instance="{Sid}.json",
    url_forms=ACCOUNT_ONLY,
    represent=account_representation.key_resource,
    specs=(
        fetch(account_key_actions.fetch_key),
        update(account_key_actions.update_key, account_parameters.ChangeKey),
        delete(account_key_actions.delete_key),
    ),
    listed=False,
)
