"""Settings on the command line and in the environment, made from ``config``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from parlour.config import Settings, described

if TYPE_CHECKING:
    from collections.abc import Callable


def settings_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options for these settings, or for all; the command gets them as keyword arguments."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for setting in reversed(described()):
            if names and setting.name not in names:
                continue
            command = click.option(
                setting.flag,
                setting.name,
                envvar=setting.variable,
                default=setting.default,
                show_default=not setting.secret,
                type=setting.kind,
                help=setting.sentence,
            )(command)
        return command

    return decorate


def settings_of(values: dict[str, Any]) -> Settings:
    """The settings of a command's keyword arguments."""
    return Settings(**values)
