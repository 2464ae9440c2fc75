"""The test kit for Node.js against a server, with the official clients."""

from __future__ import annotations

import os
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.support.nodejs import install_packages, node_command
from tests.support.server import REPOSITORY, Server
from tests.support.wheels import build_wheel
from tests.testkit.node_kit import (
    CONTRACT,
    HERE,
    PROGRAM,
    SECONDS_MAX,
    program_environment,
    run_tests,
    write_kit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = [pytest.mark.embedded, pytest.mark.xdist_group("node-kit")]

TYPES_OF_NODE = HERE / "node_modules" / "@types"
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


@pytest.mark.gate
def test_servers_end_with_their_program_in_any_case(kit: Path) -> None:
    run_tests("lifetime.test.mjs", program_environment(kit))


@pytest.mark.parametrize("name", ["account", "clock", "recorded", "webhooks"])
def test_kit_drives_a_running_server(kit: Path, running: Server, name: str) -> None:
    connection = {
        "PARLOUR_URL": running.base_url,
        "PARLOUR_ACCOUNT_SID": running.account_sid,
        "PARLOUR_AUTH_TOKEN": running.auth_token,
    }
    run_tests(f"{name}.test.mjs", program_environment(kit) | connection)


@pytest.mark.parametrize("with_twilio", [False, pytest.param(True, marks=pytest.mark.gate)])
def test_types_describe_each_call(kit: Path, tmp_path: Path, *, with_twilio: bool) -> None:
    install_packages(HERE)
    if with_twilio:
        install_packages(CONTRACT / "node")
    twilio = CONTRACT / "node" / "node_modules" / "twilio" if with_twilio else HERE / "twilio"
    packages = {"parlour-testkit": kit, "twilio": twilio}
    if with_twilio:
        packages["@types"] = TYPES_OF_NODE
    # The declarations of the kit need no declarations of another package, nor of the browser.
    _compile("usage.ts", packages, tmp_path, () if with_twilio else ("--lib", "es2022"))


@pytest.mark.gate
def test_types_of_the_fixtures_fit_playwright(kit: Path, tmp_path: Path) -> None:
    install_packages(HERE)
    example = REPOSITORY / "examples" / "playwright-chat"
    install_packages(example)
    playwright = example / "node_modules" / "@playwright"
    packages = {"parlour-testkit": kit, "@playwright": playwright, "@types": TYPES_OF_NODE}
    _compile("fixtures.ts", packages, tmp_path)


@pytest.mark.gate
def test_kit_of_an_installed_wheel_starts_its_server(tmp_path: Path) -> None:
    built = build_wheel(tmp_path)
    site = tmp_path / "site"
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    kit = tmp_path / "kit"
    command = [*PROGRAM, "testkit", "node", str(kit)]
    subprocess.run(command, cwd="/", env=environment, check=True, timeout=SECONDS_MAX)

    run_tests("start.test.mjs", program_environment(kit) | {"PYTHONPATH": str(site)})


def _compile(
    name: str, packages: dict[str, Path], folder: Path, options: Sequence[str] = ()
) -> None:
    """Compile a file of TypeScript with these packages; it must have no error."""
    modules = folder / "node_modules"
    modules.mkdir()
    for package, path in packages.items():
        (modules / package).symlink_to(path)
    (folder / name).write_text((HERE / name).read_text())
    compiler = HERE / "node_modules" / "typescript" / "bin" / "tsc"
    common = "--noEmit --strict --skipLibCheck --module nodenext --target es2022".split()
    done = subprocess.run(
        [*node_command(), str(compiler), *common, *options, name],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0
