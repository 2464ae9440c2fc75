"""``parlour operator``: create, list and revoke the keys of operators."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import click

from parlour.cli.local_store import LocalStore, local_store_options
from parlour.operations.caller import ROLES, VIEW
from parlour.protocol.timestamps import format_date
from parlour.resources.operators import actions as operator_actions
from parlour.resources.operators import store as operator_store
from parlour.resources.operators.actions import NameTakenError
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.resources.operators.store import OperatorKey
    from parlour.store.transaction import Transaction

_PAGE_SIZE = 100


@click.group("operator")
def command() -> None:
    """Operators: keys for the console and its operations on all accounts of the server."""


def _name(_context: click.Context, _option: click.Parameter, text: str) -> str:
    if not text.strip() or len(text) > limits.OPERATOR_NAME_CHARS_MAX or not text.isprintable():
        most = limits.OPERATOR_NAME_CHARS_MAX
        raise click.BadParameter(f"1 to {most} printable characters")
    return text.strip()


@command.command("create")
@click.argument("name", callback=_name)
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default=VIEW,
    show_default=True,
    help="view: no bodies of messages, no changes; support: reads all; admin: may change.",
)
@local_store_options
def create(local_store: LocalStore, *, name: str, role: str, as_json: bool) -> None:
    """Create the key of an operator; its secret is shown only once."""
    sid, secret = local_store.random.sid(sids.OPERATOR), local_store.random.token(16).hex()

    async def work(tx: Transaction) -> None:
        await operator_actions.create_operator(
            tx, local_store.vault, sid=sid, name=name, role=role, secret=secret
        )

    try:
        local_store.write(work)
    except NameTakenError as error:
        raise click.ClickException(f"there is an operator {name}: revoke it first") from error
    if as_json:
        click.echo(json.dumps({"sid": sid, "secret": secret, "name": name, "role": role}))
    else:
        click.echo(f"sid: {sid}  secret: {secret}  role: {role}")


@command.command("list")
@local_store_options
def list_(local_store: LocalStore, *, as_json: bool) -> None:
    """List the operators, revoked ones included."""
    after = (-1, "")
    while True:  # Ends after the last operator; each page has at most a hundred.
        found = local_store.read(partial(_operators_after, after))
        for operator in found:
            click.echo(json.dumps(_row(operator)) if as_json else _line(operator))
        if not found:
            return
        after = (found[-1].date_created, found[-1].sid)


async def _operators_after(after: tuple[int, str], tx: Transaction) -> list[OperatorKey]:
    return await operator_store.list_operators(tx, after, _PAGE_SIZE)


def _row(operator: OperatorKey) -> dict[str, str | None]:
    revoked = operator.date_revoked
    return {
        "sid": operator.sid,
        "name": operator.name,
        "role": operator.role,
        "date_created": format_date(operator.date_created),
        "last_used": format_date(operator.last_used) if operator.last_used else None,
        "date_revoked": None if revoked is None else format_date(revoked),
    }


def _line(operator: OperatorKey) -> str:
    row = _row(operator)
    used = f"last used {row['last_used']}" if row["last_used"] else "never used"
    state = f"revoked {row['date_revoked']}" if row["date_revoked"] else used
    return f"{operator.sid}  {operator.role:7}  {operator.name}  {state}"


@command.command("revoke")
@click.argument("operator")
@local_store_options
def revoke(local_store: LocalStore, *, operator: str, as_json: bool) -> None:
    """Revoke an operator, named by SID or name.

    Its sessions end at once; a running server accepts its key for at most one more second.
    """

    async def work(tx: Transaction) -> str | None:
        found = await operator_store.find_by_name(tx, operator)
        sid = operator if found is None else found.sid
        return sid if await operator_actions.revoke_operator(tx, sid) else None

    sid = local_store.write(work)
    if sid is None:
        raise click.ClickException(f"there is no operator {operator}, or it is revoked already")
    click.echo(json.dumps({"sid": sid}) if as_json else f"revoked {sid}")
