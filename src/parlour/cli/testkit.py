"""``parlour testkit``: writes the packages with which programs drive a server in test mode."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

import click

PACKAGE = resources.files("parlour") / "node_testkit"
_NAME = "parlour-testkit"


@click.group("testkit")
def command() -> None:
    """Write the test kit that belongs to this version."""


@command.command("node")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def node(folder: Path) -> None:
    """Write the package for Node.js into DIR, which is new, empty, or an earlier such package.

    A program then names it in its package.json: "parlour-testkit": "file:DIR".
    """
    try:
        _write(folder)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    click.echo(folder)


def _write(folder: Path) -> None:
    if not _is_replaceable(folder):
        raise click.ClickException(
            f"{folder} is neither empty nor an earlier {_NAME}: nothing was written."
        )
    with resources.as_file(PACKAGE) as source:
        # A module of an earlier version may have another name now.
        shutil.rmtree(folder / "lib", ignore_errors=True)
        shutil.copytree(source, folder, dirs_exist_ok=True)


def _is_replaceable(folder: Path) -> bool:
    if not folder.exists() or not any(folder.iterdir()):
        return True
    try:
        content = json.loads((folder / "package.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("name") == _NAME
