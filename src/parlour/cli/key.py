"""``parlour key``: create, list and revoke API keys."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import click

from parlour.cli.local_store import LocalStore, local_store_options
from parlour.protocol.pages import PagePosition, PageRequest
from parlour.resources.accounts import actions as account_actions
from parlour.resources.accounts import store as account_store
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


@click.group("key")
def command() -> None:
    """API keys: additional logins of an account, each revocable separately."""


@command.command("create")
@click.argument("account_sid")
@click.option("--name", default="API key", show_default=True, help="A friendly name.")
@local_store_options
def create(local_store: LocalStore, *, account_sid: str, name: str, as_json: bool) -> None:
    """Create an API key; its secret is shown only once."""
    scope = local_store.scope_of(account_sid)
    sid, secret = local_store.random.sid(sids.API_KEY), local_store.random.token(16).hex()
    local_store.write(
        lambda tx: account_actions.create_login(tx, local_store.vault, scope, sid, secret, name)
    )
    if as_json:
        click.echo(json.dumps({"sid": sid, "secret": secret}))
    else:
        click.echo(f"sid: {sid}  secret: {secret}")


@command.command("list")
@click.argument("account_sid")
@local_store_options
def list_(local_store: LocalStore, *, account_sid: str, as_json: bool) -> None:
    """List an account's API keys."""
    scope, position = local_store.scope_of(account_sid), None
    while True:  # Ends after the last key; each page has at most a hundred.
        request = PageRequest(0, 100, position)
        found = local_store.read(partial(_keys_of, scope, request))[:100]
        for login in found:
            row = {"sid": login.name, "friendly_name": login.friendly_name}
            click.echo(json.dumps(row) if as_json else f"{login.name}  {login.friendly_name}")
        if not found:
            return
        position = PagePosition(found[-1].sequence, found[-1].name)


async def _keys_of(
    scope: Scope, request: PageRequest, tx: Transaction
) -> list[account_store.Login]:
    return await account_store.list_keys(tx, scope, request)


@command.command("revoke")
@click.argument("account_sid")
@click.argument("sid")
@local_store_options
def revoke(local_store: LocalStore, *, account_sid: str, sid: str, as_json: bool) -> None:
    """Revoke an API key; a running server accepts it for at most one more second."""
    if not sids.is_sid(sids.API_KEY, sid):
        raise click.ClickException(f"{sid} is not the sid of an API key")
    scope = local_store.scope_of(account_sid)
    if not local_store.write(lambda tx: account_actions.revoke_key(tx, scope, sid)):
        raise click.ClickException(f"account {account_sid} has no key {sid}")
    click.echo(json.dumps({"sid": sid}) if as_json else f"revoked {sid}")
