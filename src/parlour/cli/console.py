"""``parlour console``: prints a link that signs in to the console once."""

from __future__ import annotations

import json

import click

from parlour.cli.console_link import new_ticket, ticket_link
from parlour.cli.local_store import LocalStore, local_store_options
from parlour.cli.server_client import DEFAULT_URL
from parlour.vocabulary import limits


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
@local_store_options
def command(local_store: LocalStore, *, account_sid: str | None, url: str, as_json: bool) -> None:
    """Print a link to the console that signs in once, within a minute."""
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"{url} is no URL of a server")
    if account_sid is not None:
        account_sid = local_store.scope_of(account_sid).account_sid

    def digest_of(text: str) -> str:
        return local_store.vault.digest(text)

    secret, work = new_ticket(digest_of, local_store.random, account_sid)
    local_store.write(work)
    # In the fragment: it is not sent to the server, and is in no log.
    link = ticket_link(url, secret)
    if as_json:
        click.echo(json.dumps({"url": link, "seconds": limits.CONSOLE_TICKET_SECONDS}))
    else:
        click.echo(link)
