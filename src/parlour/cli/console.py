"""``parlour console``: prints a link that signs in to the console once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from parlour.cli.command_errors import report_errors
from parlour.cli.console_link import console_url, is_open, new_ticket, ticket_link
from parlour.cli.local_store import LocalStore, NoStoreError
from parlour.cli.options import settings_of, settings_options
from parlour.cli.server_client import DEFAULT_URL
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from pathlib import Path

_OPEN = "This server is in test mode: its console needs no sign-in on this machine."


@click.command("console")
@click.option(
    "--account",
    "account_sid",
    help="Sign in to this account; by default as an operator with the role admin.",
)
@click.option(
    "--url",
    envvar="PARLOUR_URL",
    default=DEFAULT_URL,
    show_default=True,
    help="The address of the server, as the browser reaches it.",
)
@settings_options("data", "database")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def command(*, account_sid: str | None, url: str, data: Path, database: str, as_json: bool) -> None:
    """Print a link to the console that signs in once, within a minute.

    For a server in test mode that needs no sign-in it prints the address of the console.
    """
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"{url} is no URL of a server")
    if account_sid is None and is_open(url):
        _show_open(console_url(url), as_json=as_json)
        return
    settings = settings_of({"data": data, "database": database})
    try:
        with report_errors():
            link = _new_link(LocalStore(settings), url, account_sid)
    except NoStoreError as error:
        if account_sid is not None and is_open(url):
            _show_open(f"{console_url(url)}{account_sid}", as_json=as_json)
            return
        raise click.ClickException(
            f"{error}; or sign in at {console_url(url)} with an account or an operator key"
        ) from error
    except OSError as error:
        raise click.ClickException(str(error)) from error
    _show({"url": link, "seconds": limits.CONSOLE_TICKET_SECONDS}, as_json=as_json)


def _new_link(local_store: LocalStore, url: str, account_sid: str | None) -> str:
    if account_sid is not None:
        account_sid = local_store.scope_of(account_sid).account_sid

    def digest_of(text: str) -> str:
        return local_store.vault.digest(text)

    secret, work = new_ticket(digest_of, local_store.random, account_sid)
    local_store.write(work)
    # In the fragment: it is not sent to the server, and is in no log.
    return ticket_link(url, secret)


def _show_open(address: str, *, as_json: bool) -> None:
    click.echo(_OPEN, err=True)
    _show({"url": address, "seconds": None}, as_json=as_json)


def _show(link: dict[str, Any], *, as_json: bool) -> None:
    click.echo(json.dumps(link) if as_json else link["url"])
