"""Rows of accounts, their logins and their own numbers.

A login is the name (the sid of an account or of an API key) and the secret of a request. An account
may have two auth tokens (ordinal 0 and 1), so that they can be rotated without downtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, values_of, window
from parlour.store.table import Table
from parlour.store.windows import read_window
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Account(msgspec.Struct, frozen=True):
    """A tenant. ``status`` is active, suspended or closed."""

    sid: str
    friendly_name: str
    status: str
    date_created: int
    date_updated: int


class Login(Redacted, msgspec.Struct, frozen=True):
    """One secret that authenticates requests."""

    name: str
    ordinal: int
    account_sid: str
    friendly_name: str
    secret_digest: str
    secret_sealed: str
    date_created: int
    date_updated: int
    sequence: int

    @property
    def sid(self) -> str:
        """The sid of the API key or the account."""
        return self.name


class LoginSecret(Redacted, msgspec.Struct, frozen=True):
    """The columns of a login that authentication needs."""

    account_sid: str
    secret_digest: str
    secret_sealed: str
    status: str
    operator_role: str = ""
    """Of an operator, who has no account and no sealed secret."""


INSERT_ACCOUNT = insert("account", Account)
FETCH_ACCOUNT = statement("SELECT {columns} FROM account WHERE sid = $1", Account)
LIST_ACCOUNTS = statement(
    "SELECT {columns} FROM account WHERE sid > $1 ORDER BY sid LIMIT $2", Account
)
LIST_ACCOUNTS_BEFORE = statement(
    "SELECT {columns} FROM account WHERE sid < $1 ORDER BY sid DESC LIMIT $2", Account
)
UPDATE_NAME = """
UPDATE account
   SET friendly_name = $2,
       date_updated = CASE WHEN date_updated > $3 THEN date_updated ELSE $3 END
 WHERE sid = $1
"""
UPDATE_STATUS = """
UPDATE account
   SET status = $2,
       date_updated = CASE WHEN date_updated > $3 THEN date_updated ELSE $3 END
 WHERE sid = $1
"""
TABLE = Table("login", Login, key=("account_sid", "name"))
insert_login = TABLE.inserter()
update_login_row = TABLE.updater(key=("name", "ordinal", "account_sid"))
delete_login_rows = TABLE.deleter()
"""Revokes a login."""
# tidy: account-in-sql - the query returns the account
FETCH_LOGIN_SECRETS = """
SELECT login.account_sid, login.secret_digest, login.secret_sealed, account.status
  FROM login JOIN account ON account.sid = login.account_sid
 WHERE login.name = $1 ORDER BY login.ordinal LIMIT 2
"""
# tidy: account-in-sql - as above
FETCH_LOGIN_SECRETS_BY_NAME = """
SELECT login.name, login.account_sid, login.secret_digest, login.secret_sealed, account.status
  FROM login JOIN account ON account.sid = login.account_sid
 WHERE login.name IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
 ORDER BY login.name, login.ordinal LIMIT 32
"""
NAMES_PER_FETCH = 16
FETCH_LOGIN = statement(
    "SELECT {columns} FROM login WHERE account_sid = $1 AND name = $2 ORDER BY ordinal LIMIT 1",
    Login,
)
LIST_KEYS = window(
    "SELECT {columns} FROM login WHERE account_sid = $1 AND name LIKE 'SK%'",
    Login,
    order="sequence",
    arguments=1,
    sid="name",
)
DELETE_NUMBERS = "DELETE FROM account_number WHERE account_sid = $1"
INSERT_NUMBER = "INSERT INTO account_number (account_sid, address) VALUES ($1, $2)"
LIST_NUMBERS = """
SELECT address FROM account_number WHERE account_sid = $1 ORDER BY address LIMIT 10000
"""
CHECK_NUMBER = """
SELECT EXISTS (SELECT 1 FROM carriers_file WHERE number_count > 0),
       EXISTS (SELECT 1 FROM carrier_number WHERE account_sid = $1 AND address = $2),
       EXISTS (SELECT 1 FROM account_number WHERE account_sid = $1),
       EXISTS (SELECT 1 FROM account_number WHERE account_sid = $1 AND address = $2)
"""


async def insert_account(tx: Transaction, scope: Scope, account: Account) -> None:
    """Insert an account."""
    assert account.sid == scope.account_sid
    await tx.run(INSERT_ACCOUNT, *values_of(account))


async def find_account(tx: Transaction, scope: Scope) -> Account | None:
    """Return the account of a scope, or None."""
    row = await tx.one(FETCH_ACCOUNT, scope.account_sid)
    return Account(*row) if row else None


# tidy: scope-first - for the operator, over all accounts
async def list_accounts(tx: Transaction, after_sid: str, count: int) -> list[Account]:
    """Return accounts ordered by sid; for the operator only."""
    return [Account(*row) for row in await tx.all(LIST_ACCOUNTS, after_sid, count)]


# tidy: scope-first - as above
async def list_accounts_before(tx: Transaction, before_sid: str, count: int) -> list[Account]:
    """Return the accounts before a SID, nearest first; for the operator only."""
    return [Account(*row) for row in await tx.all(LIST_ACCOUNTS_BEFORE, before_sid, count)]


async def update_account_name(tx: Transaction, scope: Scope, friendly_name: str) -> int:
    """Set an account's name; return the number of rows."""
    return await tx.run(UPDATE_NAME, scope.account_sid, friendly_name, tx.now)


async def update_account_status(tx: Transaction, scope: Scope, status: str) -> int:
    """Set an account's status; return the number of rows."""
    return await tx.run(UPDATE_STATUS, scope.account_sid, status, tx.now)


# tidy: scope-first - the account is the result
async def find_login_secrets(tx: Transaction, name: str) -> list[LoginSecret]:
    """Return the valid secrets of a name. There is no scope: the account is the result."""
    return [LoginSecret(*row) for row in await tx.all(FETCH_LOGIN_SECRETS, name)]


# tidy: scope-first - as above
async def find_login_secrets_by_name(
    tx: Transaction, names: list[str]
) -> dict[str, list[LoginSecret]]:
    """Return the valid secrets of each name; unknown names have no entry."""
    found: dict[str, list[LoginSecret]] = {}
    for start in range(0, len(names), NAMES_PER_FETCH):
        batch = names[start : start + NAMES_PER_FETCH]
        padded = batch + batch[:1] * (NAMES_PER_FETCH - len(batch))
        for name, *columns in await tx.all(FETCH_LOGIN_SECRETS_BY_NAME, *padded):
            found.setdefault(name, []).append(LoginSecret(*columns))
    return found


async def find_login(tx: Transaction, scope: Scope, name: str) -> Login | None:
    """Return a login of this account."""
    row = await tx.one(FETCH_LOGIN, scope.account_sid, name)
    return Login(*row) if row else None


async def list_keys(tx: Transaction, scope: Scope, request: PageRequest) -> list[Login]:
    """Return the account's API keys, oldest first."""
    rows = await read_window(tx, LIST_KEYS, request, scope.account_sid)
    return [Login(*row) for row in rows]


async def replace_account_numbers(tx: Transaction, scope: Scope, addresses: list[str]) -> None:
    """Replace the list of the account's own numbers; an empty list allows any number."""
    await tx.run(DELETE_NUMBERS, scope.account_sid)
    for address in sorted(set(addresses)):
        await tx.run(INSERT_NUMBER, scope.account_sid, address)


async def list_account_numbers(tx: Transaction, scope: Scope) -> list[str]:
    """Return the account's own numbers, as configured."""
    return [row[0] for row in await tx.all(LIST_NUMBERS, scope.account_sid)]


async def may_send_from(tx: Transaction, scope: Scope, address: str) -> bool:
    """Return whether the account may send from this number.

    If the carriers file has numbers, only from its own ones there; else from the account's list,
    and from any number without a list.
    """
    row = await tx.one(CHECK_NUMBER, scope.account_sid, address)
    assert row is not None
    file_has_numbers, is_in_file, has_list, is_listed = row
    if file_has_numbers:
        return bool(is_in_file)
    return bool(is_listed) or not has_list
