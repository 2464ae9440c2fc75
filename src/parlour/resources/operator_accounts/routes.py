"""The operations of operators on accounts."""

from __future__ import annotations

from typing import Final

from parlour.operations.operation import ACCOUNT_ONLY, Collection, create, fetch, list_, update
from parlour.resources.accounts import parameters as account_parameters
from parlour.resources.operator_accounts import actions as operator_account_actions
from parlour.resources.operator_accounts import parameters as operator_account_parameters
from parlour.resources.operator_accounts import representation as operator_account_representation

_VERSION: Final = "/parlour/v1"

OPERATOR_ACCOUNTS = Collection(
    noun="OperatorAccount",
    version=_VERSION,
    path="/Operator/Accounts",
    is_setting=True,
    answers_by_login=True,
    url_forms=ACCOUNT_ONLY,
    represent=operator_account_representation.resource,
    specs=(
        list_(operator_account_actions.list_operator_accounts, key="accounts"),
        create(
            operator_account_actions.create_operator_account,
            operator_account_parameters.CreateAccount,
        ),
        fetch(operator_account_actions.fetch_operator_account),
        update(
            operator_account_actions.update_operator_account,
            operator_account_parameters.ChangeAccount,
        ),
    ),
    listed=False,
    for_operators=True,
)

OPERATOR_ACCOUNT_KEYS = Collection(
    noun="OperatorAccountKey",
    version=_VERSION,
    path="/Operator/Accounts/{Sid}/Keys",
    is_setting=True,
    answers_by_login=True,
    url_forms=ACCOUNT_ONLY,
    represent=operator_account_representation.key_resource,
    specs=(
        create(operator_account_actions.create_operator_account_key, account_parameters.ChangeKey),
    ),
    listed=False,
    for_operators=True,
)
