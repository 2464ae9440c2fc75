"""Actions on all accounts of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import Rows
from parlour.resources.accounts import store as account_store
from parlour.testmode.accounts import store as test_account_store
from parlour.vocabulary import sids
from parlour.vocabulary.scope import Scope
from parlour.vocabulary.unset import Unset

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.accounts.store import Account
    from parlour.testmode.accounts.parameters import CreateTestAccount
    from parlour.testmode.accounts.registry import NewAccount
    from parlour.testmode.wiring import TestMode

_DEFAULT_NAME = "Test account"


async def create_test_account(test_mode: TestMode, call: Call[CreateTestAccount]) -> NewAccount:
    """Create an account with credentials and a default service."""
    given = call.parameters
    name = given.friendly_name
    return await test_mode.accounts.create(
        _DEFAULT_NAME if isinstance(name, Unset) else name,
        None if isinstance(given.sid, Unset) else given.sid,
        None if isinstance(given.auth_token, Unset) else given.auth_token or None,
    )


async def fetch_test_account(test_mode: TestMode, call: Call[NoParameters]) -> Account:
    """Return the account that the path names."""
    sid = _sid_in_path(call)
    found = await test_mode.handles.store.read(
        lambda tx: account_store.find_account(tx, Scope(sid))
    )
    if found is None:
        raise call.not_found()
    return found


async def list_test_accounts(test_mode: TestMode, call: Call[NoParameters]) -> Rows:
    """Return a page of all accounts, oldest first."""
    found = await test_mode.handles.store.read(
        lambda tx: test_account_store.list_accounts(tx, call.page_request)
    )
    return Rows(found, order="date_created")


async def delete_test_account(test_mode: TestMode, call: Call[NoParameters]) -> None:
    """Remove the account that the path names."""
    if not await test_mode.accounts.remove(_sid_in_path(call)):
        raise call.not_found()


def _sid_in_path(call: Call[NoParameters]) -> str:
    sid = sids.parse(sids.ACCOUNT, call.path["Sid"])
    if sid is None:
        raise call.not_found()
    return sid
