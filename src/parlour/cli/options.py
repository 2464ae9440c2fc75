"""Command line options and environment variables, generated from ``config`` and validated.

Every value is validated before a command runs. All errors are reported at once, one message each
that names the flag or the variable, and the exit status is 2.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
from click.core import ParameterSource

from parlour.cli import environment
from parlour.config import Settings, setting_descriptions
from parlour.setting_checks import parse, without_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from parlour.config import SettingDescription


class SettingsError(click.ClickException):
    """Invalid settings: one message for each."""

    exit_code = 2

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))

    def show(self, file: Any = None) -> None:
        """Print each message on a separate line."""
        for fault in self.faults:
            click.echo(f"Error: {fault}", file=file, err=file is None)


class _Fault(NamedTuple):
    """Placeholder of an invalid value, until all values are validated."""

    description: str


class _SettingType(click.ParamType[Any]):
    """The click type of a setting: parses and validates a text as declared."""

    envvar_list_splitter = os.pathsep
    """Between the values of a setting that can be given several times, as in PATH."""

    def __init__(self, setting: SettingDescription) -> None:
        self._setting = setting
        words: dict[type, str] = {int: "integer", bool: "boolean", str: "text"}
        self.name = words.get(setting.kind, "path")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or the error in it."""
        setting = self._setting
        fault, parsed = "", value
        if isinstance(value, str):
            try:
                parsed = parse(value, setting.kind)
            except ValueError as error:
                fault = str(error)
        fault = fault or setting.check.fault(parsed)
        if not fault:
            return parsed
        assert param is not None
        is_variable = (
            ctx is not None
            and param.name is not None
            and ctx.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT
        )
        name = setting.variable if is_variable else setting.flag
        if setting.secret:
            return _Fault(f"{name}: {fault}.")
        shown = without_password(str(value)) if "://" in setting.check.allowed else str(value)
        between = "=" if is_variable else " "
        return _Fault(f"{name}{between}{_printable(shown) or repr('')}: {fault}.")


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)


class _Option(click.Option):
    """An option that ignores a variable set by a container platform."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the variable's value, unless a container platform set it."""
        value = super().resolve_envvar_value(ctx)
        if value is None or environment.is_of_platform(str(self.envvar), value):
            return None
        return value


def _faults(values: dict[str, Any]) -> Iterator[_Fault]:
    """Yield the placeholders of invalid values."""
    for value in values.values():
        for each in value if type(value) is tuple else (value,):
            if isinstance(each, _Fault):
                yield each


def settings_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of these settings, or of all, as keyword arguments of a command."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(*arguments: Any, **values: Any) -> Any:
            faults = [each.description for each in _faults(values)]
            faults += environment.read(os.environ).mistyped
            if faults:
                raise SettingsError(faults)
            return function(*arguments, **values)

        for setting in reversed(setting_descriptions()):
            if names and setting.name not in names:
                continue
            command = click.option(
                setting.flag,
                setting.name,
                cls=_Option,
                envvar=setting.variable,
                default=setting.default,
                show_default=not setting.secret and setting.kind is not tuple,
                type=_SettingType(setting),
                multiple=setting.kind is tuple,
                # A boolean without a value is true.
                **({"is_flag": False, "flag_value": "true"} if setting.kind is bool else {}),
                help=f"{setting.description} Allowed: {setting.check.allowed}.",
            )(command)
        return command

    return decorate


def settings_of(values: dict[str, Any]) -> Settings:
    """Return the settings of a command's keyword arguments."""
    return Settings(**values)


_SOURCES: Final = {
    ParameterSource.COMMANDLINE: "option",
    ParameterSource.ENVIRONMENT: "environment",
}


def setting_sources() -> dict[str, str]:
    """Return where each setting of the running command came from, unless it is the default."""
    context = click.get_current_context(silent=True)
    if context is None:
        return {}
    found = {name: context.get_parameter_source(name) for name in context.params}
    return {name: _SOURCES[source] for name, source in found.items() if source in _SOURCES}
