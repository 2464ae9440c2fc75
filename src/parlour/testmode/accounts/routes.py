"""Routes of the accounts of the server."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.testmode.accounts import actions as test_account_actions
from parlour.testmode.accounts import parameters as test_account_parameters
from parlour.testmode.accounts import representation as test_account_representation

# Accounts of the API 2010-04-01 have the plain noun.
TEST_ACCOUNTS = Collection(
    noun="TestAccount",
    version="/parlour/v1",
    path="/Accounts",
    url_forms=ACCOUNT_ONLY,
    represent=test_account_representation.resource,
    specs=(
        on_server(
            "Create",
            "POST",
            test_account_actions.create_test_account,
            status=201,
            parameters=test_account_parameters.CreateTestAccount,
            represent=test_account_representation.new_resource,
        ),
        on_server("List", "GET", test_account_actions.list_test_accounts, list_key="accounts"),
        on_server("Fetch", "GET", test_account_actions.fetch_test_account, on_instance=True),
        on_server(
            "Delete",
            "DELETE",
            test_account_actions.delete_test_account,
            status=204,
            on_instance=True,
        ),
    ),
    listed=False,
    needs_auth_token=True,
)
