"""Accounts that tests create, fetch and remove, and those that open at their first request."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import structlog

from parlour.resources import account_setup
from parlour.resources.accounts import actions as account_actions
from parlour.resources.accounts import store as account_store
from parlour.resources.configuration import store as configuration_store
from parlour.testmode.accounts import store as test_account_store
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.failure_log import failures_logged
from parlour.vocabulary.redaction import Redacted
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.accounts.store import Account
    from parlour.store.transaction import Transaction
    from parlour.testmode.reset.resetter import Resetter
    from parlour.testmode.wiring import ServerHandles

log = structlog.get_logger()

_KEY_NAME = "Made with its account"
_OPENED_NAME = "Opened by its first request"


class NewAccount(Redacted, msgspec.Struct, frozen=True):
    """An account with its credentials, which are shown once."""

    account: Account
    auth_token: str
    api_key_sid: str
    api_key_secret: str
    service_sid: str


class TestAccounts:
    """Creates accounts in one transaction, and removes their rows in the background."""

    __test__ = False  # The class is not a collection of tests.

    # state     row of ``account``  other rows  next
    # --------  ------------------  ----------  ----------------------------------------------
    # existing  yes                 any         removing: ``remove``
    # removing  no                  any         removed: the task of ``_removals`` has ended
    # removed   no                  none        existing: created again, under the same SID

    def __init__(self, handles: ServerHandles, resetter: Resetter) -> None:
        self._handles = handles
        self._resetter = resetter
        self._removals: dict[str, asyncio.Task[None]] = {}

    async def create(
        self, friendly_name: str, sid: str | None = None, auth_token: str | None = None
    ) -> NewAccount:
        """Create an account with an API key and a default service. Raises 20409 if it exists."""
        if sid is not None and sid in self._removals:
            await asyncio.shield(self._removals[sid])
        vault = self._handles.vault
        made = await self._handles.store.write(
            partial(
                self._insert,
                friendly_name=friendly_name,
                sid=sid,
                auth_token=auth_token or vault.new_secret(),
            )
        )
        self._handles.authentication.evict(made.account.sid)
        self._handles.authentication.evict(made.api_key_sid)
        return made

    async def _insert(
        self, tx: Transaction, friendly_name: str, sid: str | None, auth_token: str
    ) -> NewAccount:
        vault = self._handles.vault
        if sid is None:
            sid = await _new_account_sid(tx)
        elif await account_store.find_account(tx, Scope(sid)) is not None:
            raise ApiError(20409, f"The account {sid} exists already.")
        account = await account_setup.create_account(
            tx, vault, sid=sid, auth_token=auth_token, friendly_name=friendly_name
        )
        secret = vault.new_secret()
        key = await account_actions.create_login(
            tx, vault, Scope(sid), tx.new_sid(sids.API_KEY), secret, _KEY_NAME
        )
        configuration = await configuration_store.get_configuration(tx, Scope(sid))
        return NewAccount(
            account, auth_token, key.name, secret, configuration.default_chat_service_sid
        )

    async def open(self, name: str, secret: str) -> None:
        """Create the account of a login with this auth token, unless it exists."""
        if sids.parse(sids.ACCOUNT, name) != name:
            return
        if name in self._removals:
            await asyncio.shield(self._removals[name])

        async def find(tx: Transaction) -> Account | None:
            return await account_store.find_account(tx, Scope(name))

        async def ensure(tx: Transaction) -> bool:
            if await find(tx) is not None:
                return False
            await account_setup.create_account(
                tx,
                self._handles.vault,
                sid=name,
                auth_token=secret,
                friendly_name=_OPENED_NAME,
            )
            return True

        if await self._handles.store.read(find) is None and await self._handles.store.write(ensure):
            self._handles.authentication.evict(name)
            log.info("account_opened", account_sid=name)

    async def remove(self, sid: str) -> bool:
        """Remove an account; its rows go in the background. Return whether it existed."""
        if not await self._handles.store.write(
            lambda tx: test_account_store.delete_account_row(tx, Scope(sid))
        ):
            return False
        self._handles.authentication.evict_all()
        self._handles.access_tokens.evict_all()
        task = asyncio.create_task(self._remove_rows(sid), name="account removal")
        self._removals[sid] = task
        task.add_done_callback(lambda _task: self._removals.pop(sid, None))
        return True

    async def _remove_rows(self, sid: str) -> None:
        with failures_logged("account_removal_failed", account_sid=sid):
            await self._resetter.remove_account(sid)

    async def finish_removals(self) -> None:
        """Wait for removals in progress."""
        await asyncio.gather(*self._removals.values(), return_exceptions=True)


async def _new_account_sid(tx: Transaction) -> str:
    """Return a SID that no account has: after a reset of another one a sequence may repeat."""
    sid = tx.new_sid(sids.ACCOUNT)
    while await account_store.find_account(tx, Scope(sid)) is not None:
        sid = tx.new_sid(sids.ACCOUNT)
    return sid
