"""``--set Name=value``: parameters of an operation by the names of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Assignment(click.ParamType[tuple[str, str]]):
    """The click type of ``Name=value``."""

    name = "Name=value"

    def convert(
        self,
        value: str | tuple[str, str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, str]:
        """Return name and value."""
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not name or not equals:
            self.fail(f"{value} is not of the form Name=value", param, ctx)
        return name, text


set_option: Final = click.option(
    "--set",
    "assignments",
    type=_Assignment(),
    multiple=True,
    metavar="Name=value",
    help="A parameter of the operation, by its name in the API; repeatable.",
)


def fields(
    given: Iterable[tuple[str, str | int | None]], assignments: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the fields of a form: of the options that were given, then of ``--set``."""
    return [(name, str(value)) for name, value in given if value is not None] + list(assignments)
