"""Runs the programs of `node/`, which drive the console in Chromium."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contract.sdk_runner import ProgramRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.server import Server

ENV = {"PARLOUR_DATABASE": "", "PARLOUR_ACCOUNT_SID": "", "PARLOUR_AUTH_TOKEN": ""}
"""Of a server in test mode with its well-known account."""
TOKEN = "parlour-test-auth-token"
HERE = Path(__file__).parent / "node"
RUN_SECONDS_MAX = 240


def run_program(
    server: Server,
    name: str,
    *,
    does: Mapping[str, Callable[[], object]] | None = None,
    seconds_max: float = RUN_SECONDS_MAX,
    **settings: str,
) -> ProgramRun:
    """Run a program of `node/` against a server in test mode; each setting is a variable."""
    ready = server.ready()
    environment = {
        "BASE_URL": str(ready["url"]),
        "ACCOUNT_SID": str(ready["account_sid"]),
        "AUTH_TOKEN": TOKEN,
        **settings,
    }
    return ProgramRun([f"{name}.mjs"], environment, seconds_max, does, folder=HERE)


def make_operator(server: Server, name: str, role: str) -> dict[str, str]:
    """Create an operator; return its key as variables of a program."""
    made = json.loads(server.command("operator", "create", name, "--role", role, "--json"))
    return {"OPERATOR_SID": made["sid"], "OPERATOR_SECRET": made["secret"]}
