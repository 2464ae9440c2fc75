"""``parlour token``: issues an access token for a user, to try a client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from parlour.cli.local_store import LocalStore, local_store_options
from parlour.resources.tokens import actions as token_actions
from parlour.resources.tokens import representation as token_representation
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.resources.tokens.actions import IssuedToken
    from parlour.store.transaction import Transaction


def _sid(prefix: str, name: str, text: str) -> str:
    if not sids.is_sid(prefix, text):
        raise click.BadParameter(f"{text} is not a sid with {prefix}", param_hint=name)
    return sids.normal(text)


def _identity(text: str) -> str:
    # Bytes of the terminal that are not valid text arrive as lone surrogates.
    is_text = not any("\ud800" <= character <= "\udfff" for character in text)
    if not (is_text and 0 < len(text) <= limits.IDENTITY_CHARS_MAX):
        expected = f"1 to {limits.IDENTITY_CHARS_MAX} characters"
        raise click.BadParameter(expected, param_hint="--identity")
    return text


@click.command("token")
@click.option(
    "--account",
    "account_sid",
    envvar="PARLOUR_ACCOUNT_SID",
    required=True,
    help="The account.",
)
@click.option("--identity", required=True, help="Identity of the user.")
@click.option(
    "--service", "service_sid", help="The service; by default the account's default service."
)
@click.option(
    "--ttl",
    "ttl_seconds",
    type=click.IntRange(1, limits.ACCESS_TOKEN_SECONDS_MAX),
    default=limits.ACCESS_TOKEN_SECONDS_DEFAULT,
    show_default=True,
    help="TTL of the token in seconds.",
)
@click.option(
    "--key", "api_key_sid", help="The API key that signs; by default one stored for this purpose."
)
@local_store_options
def command(
    local_store: LocalStore,
    *,
    account_sid: str,
    identity: str,
    service_sid: str | None,
    ttl_seconds: int,
    api_key_sid: str | None,
    as_json: bool,
) -> None:
    """Issue an access token for a user, who need not exist yet."""
    account_sid = _sid(sids.ACCOUNT, "--account", account_sid)
    wanted = token_actions.TokenRequest(
        identity=_identity(identity),
        service_sid=service_sid and _sid(sids.SERVICE, "--service", service_sid),
        ttl_seconds=ttl_seconds,
        api_key_sid=api_key_sid and _sid(sids.API_KEY, "--key", api_key_sid),
    )
    scope = local_store.scope_of(account_sid)

    async def work(tx: Transaction) -> IssuedToken:
        return await token_actions.issue_token(tx, local_store.vault, scope, wanted)

    try:
        made = local_store.write(work)
    except ApiError as error:
        given = {"--service": service_sid, "--key": api_key_sid}
        named = ", ".join(f"{option} {sid}" for option, sid in given.items() if sid)
        raise click.ClickException(f"{named or scope.account_sid}: {error.message}") from error
    click.echo(json.dumps(token_representation.row(made)) if as_json else made.token)
