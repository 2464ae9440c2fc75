"""``parlour account``: create, list and restrict accounts, with or without a running server."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from parlour.cli.local_store import LocalStore, creating_store_options, local_store_options
from parlour.resources import account_setup
from parlour.resources.accounts import actions as account_actions
from parlour.resources.accounts import store as account_store
from parlour.vocabulary import sids
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction


@click.group("account")
def command() -> None:
    """Accounts: isolated tenants."""


@command.command("create")
@click.option("--name", default="Account", show_default=True, help="A friendly name.")
@creating_store_options
def create(local_store: LocalStore, *, name: str, as_json: bool) -> None:
    """Create an account; its auth token is shown only once.

    If there is no store yet, one is created if --data (or PARLOUR_DATA) names its folder.
    """
    sid, auth_token = local_store.random.sid(sids.ACCOUNT), local_store.random.token(16).hex()

    async def work(tx: Transaction) -> None:
        await account_setup.create_account(
            tx, local_store.vault, sid=sid, auth_token=auth_token, friendly_name=name
        )

    local_store.write(work)
    _show({"account_sid": sid, "auth_token": auth_token}, as_json=as_json)


@command.command("list")
@local_store_options
def list_(local_store: LocalStore, *, as_json: bool) -> None:
    """List the accounts."""
    after = ""
    while True:  # Ends after the last account; each page has at most a hundred.
        found = local_store.read(partial(_accounts_after, after))
        for account in found:
            row = {
                "account_sid": account.sid,
                "friendly_name": account.friendly_name,
                "status": account.status,
            }
            _show(row, as_json=as_json)
        if not found:
            return
        after = found[-1].sid


async def _accounts_after(after: str, tx: Transaction) -> list[account_store.Account]:
    return await account_store.list_accounts(tx, after, 100)


@command.command("status")
@click.argument("account_sid")
@click.argument("status", type=click.Choice(["active", "suspended", "closed"]))
@local_store_options
def status_(local_store: LocalStore, *, account_sid: str, status: str, as_json: bool) -> None:
    """Suspend, close or reopen an account: only an active one can log in."""
    scope = Scope(account_sid)
    if not local_store.write(lambda tx: account_actions.set_account_status(tx, scope, status)):
        raise click.ClickException(f"there is no account {account_sid}")
    _show({"account_sid": account_sid, "status": status}, as_json=as_json)


@command.group("numbers")
def numbers() -> None:
    """The sender numbers of an account; without a list, any well-formed number."""


@numbers.command("set")
@click.argument("account_sid")
@click.argument("addresses", nargs=-1)
@local_store_options
def set_numbers(
    local_store: LocalStore, *, account_sid: str, addresses: tuple[str, ...], as_json: bool
) -> None:
    """Replace the list; without addresses, any number is allowed again."""
    scope = local_store.scope_of(account_sid)
    local_store.write(lambda tx: account_store.replace_account_numbers(tx, scope, list(addresses)))
    _show({"account_sid": account_sid, "addresses": sorted(set(addresses))}, as_json=as_json)


@numbers.command("list")
@click.argument("account_sid")
@local_store_options
def list_numbers(local_store: LocalStore, *, account_sid: str, as_json: bool) -> None:
    """List the numbers to which an account is restricted."""
    scope = local_store.scope_of(account_sid)
    found = local_store.read(lambda tx: account_store.list_account_numbers(tx, scope))
    _show({"account_sid": account_sid, "addresses": found}, as_json=as_json)


def _show(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(row))
    else:
        click.echo("  ".join(f"{name}: {value}" for name, value in row.items()))
