"""The page about the test kit for Node.js: its programs run, in their order."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.nodejs import install_packages, node_command
from tests.support.server import REPOSITORY
from tests.testkit.node_kit import (
    CONTRACT,
    PROGRAM,
    SECONDS_MAX,
    program_environment,
    write_kit,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.embedded

PAGE = (REPOSITORY / "docs" / "how-to" / "test-with-node.md").read_text("utf-8")
BLOCK = re.compile(r"^```js\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_programs_of_the_page_run_in_their_order(tmp_path: Path) -> None:
    # From there on they are configurations, and tests of Playwright.
    ordered, _, _ = PAGE.partition("## Vitest and Jest")
    program = "".join(BLOCK.findall(ordered)) + "await parlour.stop();\n"
    install_packages(CONTRACT / "node")
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "parlour-testkit").symlink_to(write_kit(tmp_path / "kit"))
    (modules / "twilio").symlink_to(CONTRACT / "node" / "node_modules" / "twilio")
    (tmp_path / "page.mjs").write_text(program)
    own = {"PARLOUR_COMMAND": " ".join(PROGRAM)}

    done = subprocess.run(
        [*node_command(), "page.mjs"],
        cwd=tmp_path,
        env=program_environment(tmp_path / "kit") | own,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "closed\n"
    assert len(BLOCK.findall(ordered)) == 6
