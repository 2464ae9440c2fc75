"""``parlour``: all commands; each is imported lazily, so that a start is fast."""

from __future__ import annotations

import importlib
from typing import Any

import click

_COMMANDS = {
    "serve": "parlour.cli.serve",
    "account": "parlour.cli.account",
    "key": "parlour.cli.key",
    "operator": "parlour.cli.operator",
    "console": "parlour.cli.console",
    "token": "parlour.cli.token",
    "certificates": "parlour.cli.certificates",
    "doctor": "parlour.cli.doctor",
    "backup": "parlour.cli.backup",
    "restore": "parlour.cli.restore",
    "migrate-store": "parlour.cli.migrate_store",
    "webhooks": "parlour.cli.webhooks",
    "carriers": "parlour.cli.carriers",
    "phone": "parlour.cli.phone",
    "templates": "parlour.cli.templates",
    "testkit": "parlour.cli.testkit",
    "routes": "parlour.cli.routes",
    "openapi": "parlour.cli.openapi",
    "docs": "parlour.cli.docs",
    "clock": "parlour.cli.clock",
    "fault": "parlour.cli.fault",
    "trigger": "parlour.cli.trigger",
    "events": "parlour.cli.events",
    "listen": "parlour.cli.listen",
    "reset": "parlour.cli.reset",
    "snapshot": "parlour.cli.snapshot",
    "seed": "parlour.cli.seed",
    "requests": "parlour.cli.requests",
    "exec": "parlour.cli.exec",
}


class _Lazy(click.Group):
    """Imports a command from the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the sorted names."""
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module: Any = importlib.import_module(_COMMANDS[cmd_name])
        command: click.Command = module.command
        return command


@click.group(
    cls=_Lazy,
    context_settings={"max_content_width": 100},
    epilog="First steps: `parlour serve` creates an account and prints its credentials. For tests: "
    "`parlour serve --test`, or `parlour exec -- COMMAND` with a separate server.",
)
@click.version_option(package_name="parlour")
def main() -> None:
    """A self-hosted server of the Conversations API."""
