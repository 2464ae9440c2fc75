"""The examples for Node.js, with the install steps of their pages and no others."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.chromium import chromium
from tests.support.nodejs import install_packages, node_command, npm_command
from tests.support.server import REPOSITORY

pytestmark = pytest.mark.embedded

EXAMPLES = REPOSITORY / "examples"
SECONDS_MAX = 120
STEPS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRITE = "parlour testkit node vendor/parlour-testkit"
INSTALL = "npm ci"
INSTALL_BROWSER = "npx playwright install chromium"
TEST = "npm test"


def _environment(folder: Path, others: dict[str, str]) -> dict[str, str]:
    """Return an environment in which the server is installed, as a command in PATH."""
    command = folder / "parlour"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m parlour "$@"\n')
    command.chmod(0o755)
    own = {"PYTHONPATH": str(REPOSITORY / "src"), "NO_COLOR": "1", "PARLOUR_WAIT_MS": "30000"}
    node = Path(node_command()[0]).parent
    return {**others, **own, "PATH": f"{folder}:{node}:{others['PATH']}"}


def _run_steps(name: str, steps: list[str], environment: dict[str, str]) -> str:
    """Run the steps of an example's page, which are these; return the output of the last one."""
    folder = EXAMPLES / name
    (block,) = STEPS.findall((folder / "README.md").read_text())
    assert block.splitlines() == steps
    output = ""
    for step in steps:
        if step == INSTALL:
            # The same command, unless the packages are installed already.
            install_packages(folder)
        elif step != INSTALL_BROWSER:
            output = _run(step, folder, environment)
    return output


def _run(step: str, folder: Path, environment: dict[str, str]) -> str:
    program, *words = shlex.split(step)
    command = npm_command() if program == "npm" else [_in_path(program, environment)]
    done = subprocess.run(
        [*command, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _in_path(program: str, environment: dict[str, str]) -> str:
    found = shutil.which(program, path=environment["PATH"])
    assert found, program
    return found


def test_support_desk_passes_its_tests_with_vitest(tmp_path: Path) -> None:
    output = _run_steps(
        "vitest-chat", [WRITE, INSTALL, TEST], _environment(tmp_path, dict(os.environ))
    )

    assert re.search(r"Tests +4 passed \(4\)", output), output


@pytest.mark.xdist_group("sdk-browser")
def test_chat_passes_its_tests_with_playwright(tmp_path: Path) -> None:
    path, environment = chromium()
    environment = _environment(tmp_path, environment | {"CHROMIUM": path})
    steps = [WRITE, INSTALL, INSTALL_BROWSER, TEST]

    output = _run_steps("playwright-chat", steps, environment)

    assert re.search(r"2 passed", output), output
