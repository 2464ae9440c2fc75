"""``parlour snapshot``: save and restore the data of a running server in test mode."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import click

from parlour.cli.server_client import (
    ServerClient,
    as_line,
    json_option,
    printable,
    server_options,
)
from parlour.cli.set_option import fields

_SNAPSHOTS: Final = "/parlour/v1/Snapshots"


@click.group("snapshot")
def command() -> None:
    """Snapshots of a server in test mode: save, restore, list and delete them."""


@command.command("save")
@click.argument("name")
@click.option("--server", "is_server", is_flag=True, help="All accounts, and the clock.")
@server_options
@json_option
def save(client: ServerClient, *, name: str, is_server: bool, as_json: bool) -> None:
    """Save the data of the account under a name, in the memory of the server."""
    form = fields([("Name", name), ("Scope", "server" if is_server else None)], ())
    _show(client.post(_SNAPSHOTS, form), as_json=as_json)


@command.command("restore")
@click.argument("name")
@server_options
@json_option
def restore(client: ServerClient, *, name: str, as_json: bool) -> None:
    """Replace the data by the content of a snapshot."""
    _show(client.post(f"{_path(name)}/Restore", []), as_json=as_json)


@command.command("list")
@server_options
@json_option
def list_(client: ServerClient, *, as_json: bool) -> None:
    """List the snapshots."""
    for snapshot in client.rows(_SNAPSHOTS, "snapshots"):
        _show(snapshot, as_json=as_json)


@command.command("delete")
@click.argument("name")
@server_options
@json_option
def delete(client: ServerClient, *, name: str, as_json: bool) -> None:
    """Delete a snapshot."""
    client.delete(_path(name))
    if as_json:
        click.echo(as_line({"deleted": name}))


def _path(name: str) -> str:
    return f"{_SNAPSHOTS}/{quote(name, safe='')}"


def _show(snapshot: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(as_line(snapshot))
        return
    click.echo(f"{printable(snapshot['name'])}  {snapshot['scope']}  {snapshot['date_created']}")
