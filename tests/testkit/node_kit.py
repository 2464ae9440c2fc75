"""The test kit for Node.js as its users get it, and the programs that test it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.nodejs import install_packages, node_command
from tests.support.preloaded_servers import template
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent / "node"
CONTRACT = REPOSITORY / "tests" / "contract"
SECONDS_MAX = 120
PROGRAM = (sys.executable, "-m", "parlour")


def write_kit(folder: Path) -> Path:
    """Write the package by the command; return the folder."""
    own = {"PYTHONPATH": str(REPOSITORY / "src")}
    done = template().run(["testkit", "node", str(folder)], own, Path("/"), SECONDS_MAX)
    assert done.returncode == 0, done.stderr
    return folder


def program_environment(kit: Path) -> dict[str, str]:
    """Return the settings of programs that test a kit: where it is, and the server's command."""
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "src"),
        "TESTKIT": (kit / "index.js").as_uri(),
        "PARLOUR_PROGRAM": "\n".join(PROGRAM),
        # Other tests run at the same time.
        "PARLOUR_WAIT_MS": "30000",
    }


def run_tests(name: str, environment: Mapping[str, str]) -> None:
    """Run a file of tests with Node's own runner; its failures are shown."""
    for folder in ("node", "realtime"):
        install_packages(CONTRACT / folder)
    done = subprocess.run(
        [*node_command(), "--test", "--test-reporter=spec", name],
        cwd=HERE,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
