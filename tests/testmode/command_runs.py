"""Runs commands of the program against a server in test mode."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from parlour.cli.main import main
from tests.support.client import Api

if TYPE_CHECKING:
    from click.testing import Result

    from tests.support.server import Server

EMBEDDED = {"PARLOUR_DATABASE": ""}
NO_ACCOUNT = {"PARLOUR_ACCOUNT_SID": "", "PARLOUR_AUTH_TOKEN": ""}


class CommandRuns:
    """Commands in this process, with URL and login of one server in the environment."""

    def __init__(self, server: Server) -> None:
        ready = server.ready()
        self.environment: dict[str, str | None] = {
            "PARLOUR_READY_FILE": None,
            "PARLOUR_URL": ready["url"],
            "PARLOUR_ACCOUNT_SID": ready["account_sid"],
            "PARLOUR_AUTH_TOKEN": ready["auth_token"],
        }
        self.api_key = ready["api_key_sid"], ready["api_key_secret"]
        self.api = Api(ready["url"], ready["account_sid"], ready["auth_token"])

    def run(self, *arguments: str, **environment: str | None) -> Result:
        """Run a command."""
        return CliRunner().invoke(main, arguments, env=self.environment | environment)

    def text(self, *arguments: str) -> str:
        """Return the output of a command that succeeds."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def rows(self, *arguments: str) -> list[Any]:
        """Return the rows of a command with ``--json``."""
        return [json.loads(line) for line in self.text(*arguments, "--json").splitlines()]

    def error(self, *arguments: str) -> str:
        """Return the error of a command that fails with status 1."""
        result = self.run(*arguments)
        assert result.exit_code == 1, result.output
        assert isinstance(result.exception, SystemExit), result.exception
        return result.stderr
