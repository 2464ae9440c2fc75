"""``parlour reset``: delete the data of a running server in test mode."""

from __future__ import annotations

from typing import Final

import click

from parlour.cli.server_client import ServerClient, as_line, json_option, server_options
from parlour.cli.set_option import fields

_RESET: Final = "/parlour/v1/Reset"


@click.command("reset")
@click.option("--server", "is_server", is_flag=True, help="All accounts, and the clock.")
@click.option("--random-seed", type=int, help="Repeat SIDs and jitter from this number.")
@click.option("--reload-seed", is_flag=True, help="Load the seed files of the start again.")
@server_options
@json_option
def command(
    client: ServerClient,
    *,
    is_server: bool,
    random_seed: int | None,
    reload_seed: bool,
    as_json: bool,
) -> None:
    """Delete the data of the account on a server in test mode; its credentials stay valid."""
    form = fields(
        [
            ("Scope", "server" if is_server else None),
            ("RandomSeed", random_seed),
            ("Seed", "start" if reload_seed else None),
        ],
        (),
    )
    result = client.post(_RESET, form)
    if as_json:
        click.echo(as_line(result))
    else:
        click.echo(f"Reset the {'server' if is_server else 'account'}.")
