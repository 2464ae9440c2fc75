"""``parlour docs``: generates the reference pages, and tables of other pages, from the code."""

from __future__ import annotations

from pathlib import Path

import click

from parlour.cli.docs_pages import PAGES, fill_bounds

# Relative to the parent of the folder of generated pages.
_PAGE_WITH_BOUNDS = Path("explanation/overload.md")


@click.command("docs")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write the generated pages into FOLDER, and update the tables of the overload page."""
    try:
        _write(folder)
    except OSError as error:
        raise click.ClickException(str(error)) from error


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")
        click.echo(folder / name)
    page = folder.parent / _PAGE_WITH_BOUNDS
    if page.exists():
        page.write_text(fill_bounds(page.read_text(encoding="utf-8")), encoding="utf-8")
        click.echo(page)
