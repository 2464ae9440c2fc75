"""The command lines for a dump of PostgreSQL and its restore work as the page describes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

from click.testing import CliRunner

from parlour.cli.main import main
from tests.support.postgres_server import OWNER, USER, binaries, shared
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

PAGE = REPOSITORY / "docs" / "how-to" / "back-up.md"
NEW = "parlour_new"


def _parlour(data: Path, url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--json", "--data", str(data), "--database", url])


def test_a_dump_by_the_role_of_the_server_is_restored_and_served(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    dump, restore = [each for each in blocks if "monday.dump" in each]
    server, url = shared(), shared().make_database()
    new_url = server.url(NEW, OWNER)
    made = _parlour(tmp_path, url, "account", "create")
    assert made.exit_code == 0, made.stderr
    places = {"PATH": f"{binaries()}:{os.environ['PATH']}", "DATABASE_URL": url}
    as_superuser = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": USER}
    # The tests use another role name.
    lines = restore.replace("--owner parlour ", f"--owner {OWNER} ")
    for commands, more in ((dump, {}), (lines, as_superuser | {"NEW_DATABASE_URL": new_url})):
        done = subprocess.run(
            ["sh", "-ec", commands],
            env=places | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    listed = _parlour(tmp_path, new_url, "account", "list")
    assert listed.exit_code == 0, listed.stderr
    sid = json.loads(made.stdout)["account_sid"]
    assert json.loads(listed.stdout)["account_sid"] == sid
    # Row security between accounts is restored, too.
    assert server.sql("SELECT count(*) FROM pg_policies", new_url) == server.sql(
        "SELECT count(*) FROM pg_policies", url
    )
    server.sql(f"DROP DATABASE {NEW}")
