"""``parlour seed``: load, export and check seed documents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from parlour.cli.server_client import ServerClient, as_line, json_option, server_options

_SEEDS: Final = "/parlour/v1/Seeds"
_file = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))


@click.group("seed")
def command() -> None:
    """Seed documents: load, export and check them."""


@command.command("load")
@_file
@server_options
@json_option
def load(client: ServerClient, *, file: Path, as_json: bool) -> None:
    """Load a seed into the account of a server in test mode, and show the SIDs by key.

    ${NAME} in the file is replaced by the environment variable of that name.
    """
    from parlour.testmode.seeds.text import content_type_of  # noqa: PLC0415 - help needs none.

    content = _content(file)
    result = client.post_document(_SEEDS, content, content_type_of(file.name))
    if as_json:
        click.echo(as_line(result))
        return
    for key, sid in result["sids"].items():
        click.echo(f"{sid}  {key}")


def _content(file: Path) -> bytes:
    from parlour.testmode.seeds.variables import (  # noqa: PLC0415 - help needs none of it.
        MissingVariables,
        replace_variables,
    )

    try:
        return replace_variables(file.read_text(encoding="utf-8"), os.environ).encode()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file}: a seed must be UTF-8") from error
    except MissingVariables as error:
        raise click.ClickException(f"{file}: {error}") from error


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--sids", is_flag=True, help="With the SIDs of all objects.")
@server_options
@json_option
def export(client: ServerClient, *, file: Path | None, sids: bool, as_json: bool) -> None:
    """Write the account as a seed document: to a file, YAML or JSON by its name, or as YAML."""
    from parlour.testmode.seeds.text import (  # noqa: PLC0415 - help needs none of it.
        content_type_of,
        write_json,
        write_yaml,
    )

    document = client.get(_SEEDS, {"Sids": "true"} if sids else None)
    is_json = as_json or (file is not None and content_type_of(file.name).endswith("json"))
    text = write_json(document) if is_json else write_yaml(document)
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        file.write_bytes(text)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error


@command.command("check")
@_file
@json_option
def check(*, file: Path, as_json: bool) -> None:
    """Check a seed file without a server: its form, its keys, its references and its values."""
    from parlour.testmode.seeds.files import (  # noqa: PLC0415 - help needs none of it.
        SeedFileError,
        read_seed_file,
    )

    try:
        read_seed_file(file, os.environ)
    except SeedFileError as error:
        raise click.ClickException(str(error)) from error
    click.echo(as_line({"file": str(file), "valid": True}) if as_json else f"{file} is valid.")
