"""Builds of the package: each contains the console; one without npm reports it and continues."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.support.server import REPOSITORY
from tests.support.wheels import build_wheel
from tools import console_vendor

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.embedded

STATIC = "parlour/console/static/"
BUILD = "import hatchling.build, sys; print(getattr(hatchling.build, sys.argv[1])(sys.argv[2]))"


def _build(kind: str, checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Build as pip does without isolation, into the folder `built`."""
    folder = checkout.parent / "built"
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", BUILD, f"build_{kind}", str(folder)],
        cwd=checkout,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _without_npm(cache: Path) -> dict[str, str]:
    return {"npm_config_registry": "http://127.0.0.1:9/", "npm_config_cache": str(cache)}


def test_the_wheel_contains_each_file_of_the_console(vendor: Path, tmp_path: Path) -> None:
    static = vendor.parent
    expected = {
        STATIC + path.relative_to(static).as_posix() for path in static.rglob("*") if path.is_file()
    }

    packed = _names(build_wheel(tmp_path))

    assert {STATIC + "vendor/" + name for name in console_vendor.MODULES} <= expected
    assert {name for name in packed if name.startswith(STATIC)} == expected


def test_an_editable_installation_builds_the_modules(checkout: Path) -> None:
    _build("editable", checkout)

    assert console_vendor.is_current(checkout)


def test_a_wheel_of_the_source_distribution_needs_no_npm(checkout: Path, tmp_path: Path) -> None:
    _build("sdist", checkout)
    (archive,) = (tmp_path / "built").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    done = _build("wheel", source, **_without_npm(tmp_path / "cache"))

    assert done.stderr == ""
    direct = _names(build_wheel(tmp_path))
    assert _names(tmp_path / "built" / done.stdout.strip()) == direct


def test_a_build_without_the_registry_reports_it_in_one_line_and_continues(
    checkout: Path, tmp_path: Path
) -> None:
    done = _build("wheel", checkout, **_without_npm(tmp_path / "cache"))

    assert done.stderr.startswith("Built without the console: npm failed: ")
    assert done.stderr.count("\n") == 1
    packed = _names(tmp_path / "built" / done.stdout.strip())
    assert "parlour/cli/main.py" in packed
    assert not any(name.startswith(STATIC + "vendor/") for name in packed)


def test_a_build_without_the_console_starts_no_npm(checkout: Path) -> None:
    variables = {"PARLOUR_BUILD_CONSOLE": "no", "PATH": "/nonexistent"}
    done = _build("wheel", checkout, **variables)

    assert done.stderr == ""
    assert not (checkout / console_vendor.VENDOR).exists()
    required = "import hatchling.build as b; print(b.get_requires_for_build_wheel())"
    for skip, expected in (("no", []), ("yes", [console_vendor.NPM_WHEEL])):
        asked = subprocess.run(
            [sys.executable, "-c", required],
            cwd=checkout,
            env={**os.environ, **variables, "PARLOUR_BUILD_CONSOLE": skip},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert asked.stdout.strip() == str(expected)


def test_requirement_of_npm_is_that_of_the_lock_files() -> None:
    named = (REPOSITORY / "requirements-node.in").read_text().splitlines()
    pins = [
        {line for line in (REPOSITORY / name).read_text().splitlines() if "binaries==" in line}
        for name in ("requirements-node.txt", "requirements-dev.txt")
    ]

    assert named[-1] == console_vendor.NPM_WHEEL
    assert len(pins[0]) == 1
    assert pins[0] == pins[1]
