"""``parlour migrate-store``: copies the embedded database to PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from parlour.cli.command_errors import report_errors
from parlour.cli.progress import Progress
from parlour.store.engines import DATABASE_NAME, is_postgres
from parlour.store.folder_lock import lock_folder
from parlour.store.maintenance.move import MoveError, move_store

if TYPE_CHECKING:
    from parlour.store.maintenance.move import ComparedTable

_SQLITE: Final = "sqlite:"


@click.command("migrate-store")
@click.option("--from", "source", required=True, help="sqlite:PATH, a data folder or its database.")
@click.option(
    "--to",
    "target",
    envvar="PARLOUR_DATABASE",
    required=True,
    help="postgresql://… of an empty database. Better in PARLOUR_DATABASE: other users of the "
    "machine can read command lines.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per table.")
def command(*, source: str, target: str, as_json: bool) -> None:
    """Copy an embedded database to PostgreSQL, and compare both.

    The server has to be stopped. After an interruption the same command continues.
    """
    if not source.startswith(_SQLITE):
        raise click.BadParameter("it is given as sqlite:PATH", param_hint="--from")
    if not is_postgres(target):
        raise click.BadParameter("it is given as postgresql://…", param_hint="--to")
    path = Path(source.removeprefix(_SQLITE).removeprefix("//"))
    try:
        with report_errors(), contextlib.ExitStack() as held:
            path = path / DATABASE_NAME if path.is_dir() else path
            if path.is_file():
                held.enter_context(lock_folder(path.parent))
            moved = asyncio.run(move_store(path, target, Progress()))
    except (MoveError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for each in moved:
        click.echo(json.dumps(_shown(each)) if as_json else f"{each.table}: {each.contents}")
    if not as_json:
        click.echo(f"All {len(moved)} tables are equal in both databases.")
        click.echo("Next: parlour serve --database …, with the same data folder (key and media).")


def _shown(moved: ComparedTable) -> dict[str, object]:
    rows, checksum = moved.contents
    return {"table": moved.table, "rows": rows, "checksum": f"{checksum:032x}"}
