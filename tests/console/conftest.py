"""Fixtures: the console with its third-party modules, and a copy of what a build needs."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.server import REPOSITORY
from tools import console_vendor

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "hatch_build.py", ".gitignore")
FOLDERS = ("console", "src/parlour")
IGNORED = shutil.ignore_patterns("__pycache__", "vendor", "node_modules")


@pytest.fixture(scope="session")
def vendor() -> Path:
    """Return the folder of the installed modules."""
    console_vendor.install()
    return REPOSITORY / console_vendor.VENDOR


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with what a build needs, and without the modules."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in FILES:
        shutil.copy(REPOSITORY / name, folder)
    for name in FOLDERS:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=IGNORED)
    (folder / "tools").mkdir()
    shutil.copy(REPOSITORY / "tools" / "console_vendor.py", folder / "tools")
    return folder
