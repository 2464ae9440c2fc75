"""``parlour routes``: prints the table of operations."""

from __future__ import annotations

import json

import click

from parlour.resources.table import operations


@click.command("routes")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def command(*, as_json: bool) -> None:
    """List every operation of the API: id, method and path."""
    rows = [
        {"operation_id": each.operation_id, "method": each.method, "path": each.path}
        for each in operations()
        if each.listed
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['method']:6}  {row['path']:80}  {row['operation_id']}")
