"""The example for pytest runs with its documented steps alone, in a new environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

import pytest

from tests.support.server import REPOSITORY
from tests.testkit.installed_kit import FEW_PLUGINS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("python-kit"), pytest.mark.slow, pytest.mark.embedded]

README = REPOSITORY / "examples" / "pytest-shop" / "README.md"
STEPS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = ("pyproject.toml", "README.md", "LICENSE", "hatch_build.py")
FOLDERS = ("src", "console", "tools", "testkit/python", "examples/pytest-shop")
SECONDS_MAX = 180
# What the steps would download is there already.
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as the value of build isolation.
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


def _environment_with_packages(folder: Path) -> None:
    """Create a virtual environment that finds the packages of this one, but not this project."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    packages = sysconfig.get_path("purelib")
    (site / "packages.pth").write_text(f"{packages}\n")
    pip = folder / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m pip "$@"\n')
    pip.chmod(0o755)
    pytest_script = folder / "bin" / "pytest"
    pytest_script.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m pytest "$@"\n')
    pytest_script.chmod(0o755)


def test_the_tests_of_the_example_pass_after_its_documented_steps(tmp_path: Path) -> None:
    [steps] = STEPS.findall(README.read_text())
    created, *further = steps.splitlines()
    assert created == "python3 -m venv shop-venv"
    _environment_with_packages(tmp_path / "shop-venv")
    for name in FILES:
        shutil.copy(REPOSITORY / name, tmp_path)
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignored)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PARLOUR_", "TWILIO_", "PYTEST_", "PYTHON"))
    }

    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(further)],
        cwd=tmp_path,
        env=inherited | OFFLINE | {"PYTEST_ADDOPTS": FEW_PLUGINS},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    count = README.with_name("test_shop.py").read_text().count("\ndef test_")
    assert f"{count} passed" in done.stdout
