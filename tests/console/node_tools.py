"""The type checker and the linter of the console, from this folder's lock file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.support.nodejs import install_packages, node_command
from tests.support.server import REPOSITORY

HERE = Path(__file__).parent / "node"
CONSOLE = REPOSITORY / "console"
STATIC = REPOSITORY / "src" / "parlour" / "console" / "static"
SECONDS_MAX = 120


class LintFinding(NamedTuple):
    """One message of the linter."""

    file: str
    rule: str
    line: int


def type_errors(project: Path) -> list[str]:
    """Return the errors of the type checker in a project."""
    done = _run("typescript/bin/tsc", "--project", str(project), "--pretty", "false")
    errors = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert done.returncode == 0 or errors, done.stderr
    return errors


def lint_findings(folder: Path) -> list[LintFinding]:
    """Return the findings of the linter in the JavaScript and HTML files of a folder."""
    config = ["--config", str(CONSOLE / "eslint.config.js")]
    done = _run("eslint/bin/eslint.js", *config, "--format", "json", str(folder), cwd=folder.parent)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return [
        LintFinding(Path(each["filePath"]).name, message["ruleId"] or "syntax", message["line"])
        for each in json.loads(done.stdout)
        for message in each["messages"]
    ]


def linted_files(folder: Path) -> set[str]:
    """Return the names of the files of a folder that the linter reads."""
    config = ["--config", str(CONSOLE / "eslint.config.js")]
    done = _run("eslint/bin/eslint.js", *config, "--format", "json", str(folder), cwd=folder.parent)
    read = (Path(each["filePath"]) for each in json.loads(done.stdout))
    return {path.relative_to(folder).as_posix() for path in read}


def _run(script: str, *arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    install_packages(HERE)
    return subprocess.run(
        [*node_command(), str(HERE / "node_modules" / script), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
