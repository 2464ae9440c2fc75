"""``parlour openapi``: an OpenAPI 3.1 description of the API."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from parlour.operations.operation import BodyKind
from parlour.resources.openapi.description import describe
from parlour.resources.table import operations

_FUNCTIONS: Final = "/parlour/v1/"


@click.command("openapi")
@click.option(
    "--functions",
    is_flag=True,
    help="Describe the functions of the server instead: /parlour/v1, also in test mode.",
)
def command(*, functions: bool) -> None:
    """Print the OpenAPI 3.1 description of the API as JSON."""
    described = of_functions() if functions else description()
    click.echo(json.dumps(described, indent=2))


def description() -> dict[str, Any]:
    """Return the description of the API as a JSON object."""
    return describe(each for each in operations() if each.listed)


def of_functions() -> dict[str, Any]:
    """Return the description of the functions below /parlour/v1 that have JSON responses."""
    from parlour.testmode.table import declared_operations  # noqa: PLC0415 - slow to import.

    return describe(
        each
        for each in (*operations(), *declared_operations())
        if each.path.startswith(_FUNCTIONS) and each.spec.response_body is BodyKind.JSON
    )
