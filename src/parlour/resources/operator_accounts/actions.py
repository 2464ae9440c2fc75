"""Actions of operators on accounts: list, create, rename, suspend, close, and create keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.resources import account_setup
from parlour.resources.accounts import actions as account_actions
from parlour.resources.accounts import store as account_store
from parlour.resources.accounts.key_actions import NewKey, create_key_of
from parlour.resources.operator_accounts import store as operator_account_store
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.redaction import Redacted
from parlour.vocabulary.scope import Scope
from parlour.vocabulary.unset import UNSET, given_or

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.minute_metrics import AccountTraffic
    from parlour.operations.parameters import NoParameters
    from parlour.resources.accounts.parameters import ChangeKey
    from parlour.resources.accounts.store import Account
    from parlour.resources.operator_accounts.parameters import ChangeAccount, CreateAccount
    from parlour.resources.operator_accounts.store import MediaSum
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.bounded_count import BoundedCount

_DEFAULT_NAME = "Account"
_HIDDEN = "Operators see no bodies here, so they get no secrets of accounts: use parlour {}."


class OperatedAccount(Redacted, msgspec.Struct, frozen=True):
    """An account with bounded counts of its rows; ``traffic`` has its requests to this process.

    ``auth_token`` is the token of a new account, shown only once.
    """

    account: Account
    traffic: AccountTraffic
    now_ms: int
    conversations: BoundedCount
    media: MediaSum
    waiting: BoundedCount
    auth_token: str | None = None

    @property
    def sid(self) -> str:
        """The SID of the account."""
        return self.account.sid


async def list_operator_accounts(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of all accounts, ordered by SID."""
    page = call.page_request
    after = "" if page.position is None else page.position.sid
    if page.backwards:
        found = await account_store.list_accounts_before(tx, after, page.size + 1)
    else:
        found = await account_store.list_accounts(tx, after, page.size + 1)
    return Rows([await _measured(tx, call, each) for each in found], order="sid")


async def fetch_operator_account(tx: Transaction, call: Call[NoParameters]) -> OperatedAccount:
    """Return the account that the path names."""
    return await _measured(tx, call, await _account_in_path(tx, call))


async def create_operator_account(tx: Transaction, call: Call[CreateAccount]) -> OperatedAccount:
    """Create an account, with its default service and its auth token."""
    _require_bodies(call, "account create")
    auth_token = call.vault.new_secret()
    account = await account_setup.create_account(
        tx,
        call.vault,
        sid=tx.new_sid(sids.ACCOUNT),
        auth_token=auth_token,
        friendly_name=given_or(call.parameters.friendly_name, _DEFAULT_NAME),
    )
    return await _measured(tx, call, account, auth_token)


async def update_operator_account(tx: Transaction, call: Call[ChangeAccount]) -> OperatedAccount:
    """Suspend, close, reopen or rename an account; only an active one has sessions."""
    before = await _account_in_path(tx, call)
    scope, parameters = Scope(before.sid), call.parameters
    name, status = parameters.friendly_name, parameters.status
    if name is not UNSET and name != before.friendly_name:
        await account_actions.rename_account(tx, scope, name)
    if status is not UNSET and status != before.status:
        await account_actions.set_account_status(tx, scope, status)
    return await _measured(tx, call, await _account_in_path(tx, call))


async def create_operator_account_key(tx: Transaction, call: Call[ChangeKey]) -> NewKey:
    """Create an API key of an account."""
    _require_bodies(call, "key create")
    account = await _account_in_path(tx, call)
    return await create_key_of(tx, call, Scope(account.sid))


def _require_bodies(call: Call[Any], command: str) -> None:
    """Raise 403 where operators see no bodies: with a secret of an account they could read all."""
    if not call.settings.shows_bodies_to_operators:
        raise ApiError(20403, _HIDDEN.format(command))


async def _account_in_path(tx: Transaction, call: Call[Any]) -> Account:
    sid = sids.parse(sids.ACCOUNT, call.path["Sid"])
    account = None if sid is None else await account_store.find_account(tx, Scope(sid))
    if account is None:
        raise call.not_found()
    return account


async def _measured(
    tx: Transaction, call: Call[Any], account: Account, auth_token: str | None = None
) -> OperatedAccount:
    scope, most = Scope(account.sid), limits.ACCOUNT_ROWS_COUNTED_MAX
    return OperatedAccount(
        account=account,
        traffic=call.parts.by_minute.traffic(account.sid),
        now_ms=tx.now,
        conversations=await operator_account_store.count_conversations_up_to(tx, scope, most),
        media=await operator_account_store.sum_media_up_to(tx, scope, most),
        waiting=await operator_account_store.count_waiting_up_to(tx, scope, most),
        auth_token=auth_token,
    )
