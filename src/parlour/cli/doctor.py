"""``parlour doctor``: checks a server's settings and environment for unsafe configurations."""

from __future__ import annotations

import asyncio
import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from parlour.cli.carriers_file import read_carriers
from parlour.cli.command_errors import report_errors
from parlour.cli.options import SettingsError, settings_of, settings_options
from parlour.config import conflicts
from parlour.inspection.findings import find_all

if TYPE_CHECKING:
    from parlour.channels.carriers_file import CarrierSettings
    from parlour.config import Settings
    from parlour.inspection.checks import Finding


@click.command("doctor")
@settings_options()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per finding.")
def command(*, as_json: bool, **values: Any) -> None:
    """Check settings and environment, given the settings of serve; exit with 1 on errors.

    Nothing is changed, and no server has to run. Settings with which `serve` would not start are
    reported, and the status is 2.
    """
    settings = settings_of(values)
    if faults := [f"{each}." for each in conflicts(settings)]:
        raise SettingsError(faults)
    carriers = read_carriers(settings)
    found = [
        *chain.from_iterable(find_all(settings).values()),
        *_check_carriers(settings, carriers),
    ]
    for each in sorted(found, key=lambda finding: not finding.is_unsafe):
        click.echo(_line(each, as_json=as_json))
    unsafe = sum(each.is_unsafe for each in found)
    if not as_json:
        click.echo(f"{_counted(unsafe, 'error')}, {_counted(len(found) - unsafe, 'warning')}.")
    if unsafe:
        raise SystemExit(1)


def _check_carriers(settings: Settings, carriers: CarrierSettings | None) -> list[Finding]:
    if carriers is None:
        return []
    from parlour.inspection.checks_carriers import check_carriers  # noqa: PLC0415 - only if used.

    with report_errors():
        return asyncio.run(check_carriers(settings, carriers))


def _line(finding: Finding, *, as_json: bool) -> str:
    if as_json:
        shown = {"unsafe": finding.is_unsafe, "what": finding.what, "do": finding.do}
        return json.dumps(shown)
    return f"{'ERROR' if finding.is_unsafe else 'warning':7}  {finding.what}\n         {finding.do}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
