"""``parlour docs``: the pages of the reference that are made from the code itself."""

from __future__ import annotations

from pathlib import Path

import click

from parlour.cli.pages import PAGES


@click.command("docs")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write the generated pages into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")
        click.echo(folder / name)
