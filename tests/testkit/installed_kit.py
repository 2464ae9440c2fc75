"""The Python kit, built and installed as a user does it, and test runs that use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = REPOSITORY / "testkit" / "python"
SERVER_COMMAND = f"{sys.executable} -m parlour"
SECONDS_MAX = 120
FEW_PLUGINS = " ".join(
    f"-p no:{name}" for name in ("schemathesis", "hypothesispytest", "anyio", "platformdirs")
)
"""Without plugins of this environment that take longer to import than the runs themselves."""


@dataclass(frozen=True)
class TestRun:
    """The result of a run of pytest: its status and output, and the outcome of each test."""

    __test__ = False

    status: int
    output: str
    outcomes: Mapping[str, str]
    messages: Mapping[str, str]


@dataclass(frozen=True)
class InstalledKit:
    """A folder with the installed distribution."""

    site: Path

    def environment(self, **variables: str) -> dict[str, str]:
        """Return an environment with the kit, and without settings of other runs."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PARLOUR_", "TWILIO_", "PYTEST_"))
        }
        return {**inherited, "PYTHONPATH": str(self.site), **variables}

    def run_python(self, code: str) -> str:
        """Run a program with the kit; return its output."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self.environment(),
            cwd=self.site,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_tests(
        self,
        project: Path,
        *arguments: str,
        typed: str = "",
        ini: Mapping[str, str] | None = None,
        seconds_max: float = SECONDS_MAX,
        **variables: str,
    ) -> TestRun:
        """Run the tests of a folder with pytest; ``typed`` is its standard input."""
        settings = {
            "python_files": "check_*.py",
            "addopts": f"-p no:cacheprovider --strict-markers --strict-config {FEW_PLUGINS}",
            "parlour_command": SERVER_COMMAND,
            **(ini or {}),
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        (project / "pytest.ini").write_text("\n".join(["[pytest]", *lines, ""]))
        results = project / "results.xml"
        results.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", f"--junitxml={results}", *arguments],
            env=self.environment(**variables),
            cwd=project,
            input=typed,
            capture_output=True,
            text=True,
            timeout=seconds_max,
            check=False,
        )
        output = done.stdout + done.stderr
        return TestRun(done.returncode, output, *_outcomes(results))


def install(folder: Path) -> InstalledKit:
    """Build the wheel with the backend of this environment, and install it without dependencies."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-index", "--no-deps", "--no-build-isolation"),
            *("--target", str(folder), str(SOURCE)),
        ],
        check=True,
        timeout=SECONDS_MAX,
    )
    return InstalledKit(folder)


def project_of(name: str, folder: Path) -> Path:
    """Copy a folder of checks, so that no configuration of this repository applies."""
    source = Path(__file__).parent / name
    return Path(
        shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    )


def _outcomes(results: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the outcome and the message of each test, by name."""
    outcomes: dict[str, str] = {}
    messages: dict[str, str] = {}
    if results.exists():
        for case in ET.parse(results).iter("testcase"):  # noqa: S314 - written by pytest.
            name = case.attrib["name"]
            outcomes[name] = "passed"
            for child in case:
                if child.tag in {"failure", "error", "skipped"}:
                    outcomes[name] = child.tag
                    messages[name] = f"{child.attrib.get('message', '')}\n{child.text or ''}"
    return outcomes, messages
