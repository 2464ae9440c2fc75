"""Accounts and API keys: what the SDKs ask of the accounts API, version 2010-04-01."""

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
from parlour.resources.accounts import key_actions, parameters, representation
from parlour.vocabulary import limits

_VERSION: Final = "/2010-04-01"

ACCOUNTS = Collection(
    noun="Account",
    needs_auth_token=True,
    version=_VERSION,
    path="/Accounts",
    instance="{AccountSid}.json",
    url_forms=ACCOUNT_ONLY,
    represent=representation.account,
    specs=(fetch(key_actions.fetch_account),),
    listed=False,
)

# In this version a collection's path ends in .json, and so does an instance's.
KEYS = Collection(
    noun="Key",
    is_setting=True,
    needs_auth_token=True,
    version=_VERSION,
    path="/Accounts/{AccountSid}/Keys.json",
    url_forms=ACCOUNT_ONLY,
    represent=representation.key,
    specs=(
        list_(
            key_actions.list_keys,
            key="keys",
            maximum=limits.PAGE_SIZE_KEYS_MAX,
            envelope=envelope_2010,
        ),
        replace(
            create(key_actions.create_key, parameters.ChangeKey),
            represent=representation.new_key,
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
    represent=representation.key,
    specs=(
        fetch(key_actions.fetch_key),
        update(key_actions.update_key, parameters.ChangeKey),
        delete(key_actions.delete_key),
    ),
    listed=False,
)
