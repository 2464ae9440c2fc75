"""The test kit for Node.js against a server, with the official clients."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.nodejs import install_packages, node_command
from tests.support.server import Server
from tests.testkit.node_kit import (
    CONTRACT,
    HERE,
    SECONDS_MAX,
    program_environment,
    run_tests,
    write_kit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.embedded, pytest.mark.xdist_group("node-kit")]

EMBEDDED = {"PARLOUR_DATABASE": ""}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, written by the command."""
    return write_kit(tmp_path_factory.mktemp("kit") / "parlour-testkit")


@pytest.fixture
def running() -> Iterator[Server]:
    """A server in test mode, as a container would be."""
    with Server(env=EMBEDDED, args=("--test",)) as server:
        yield server


def test_servers_start_and_stop_with_their_program(kit: Path) -> None:
    run_tests("start.test.mjs", program_environment(kit))


@pytest.mark.parametrize("name", ["account", "clock", "recorded", "webhooks"])
def test_kit_drives_a_running_server(kit: Path, running: Server, name: str) -> None:
    connection = {
        "PARLOUR_URL": running.base_url,
        "PARLOUR_ACCOUNT_SID": running.account_sid,
        "PARLOUR_AUTH_TOKEN": running.auth_token,
    }
    run_tests(f"{name}.test.mjs", program_environment(kit) | connection)


def test_types_describe_each_call(kit: Path, tmp_path: Path) -> None:
    install_packages(HERE)
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "parlour-testkit").symlink_to(kit)
    (modules / "twilio").symlink_to(CONTRACT / "node" / "node_modules" / "twilio")
    (modules / "@types").symlink_to(HERE / "node_modules" / "@types")
    (tmp_path / "usage.ts").write_text((HERE / "usage.ts").read_text())
    compiler = HERE / "node_modules" / "typescript" / "bin" / "tsc"
    options = "--noEmit --strict --skipLibCheck --module nodenext --target es2022".split()
    done = subprocess.run(
        [*node_command(), str(compiler), *options, "usage.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0
