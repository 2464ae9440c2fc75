"""The third-party modules: from the lock file alone, with relative imports, and built once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.server import REPOSITORY
from tools import console_vendor
from tools.console_vendor import VendorError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.embedded

NO_REGISTRY = "http://127.0.0.1:9/"
"""The port of discard: no server listens there."""


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_lock_file_has_an_integrity_hash_for_each_package_and_no_address() -> None:
    text = (REPOSITORY / "console" / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    named = json.loads((REPOSITORY / "console" / "package.json").read_text())["dependencies"]

    assert {name for name in packages if name} == {f"node_modules/{name}" for name in named}
    assert all(packages[f"node_modules/{name}"]["version"] == named[name] for name in named)
    assert all(each["integrity"].startswith("sha512-") for name, each in packages.items() if name)
    assert "resolved" not in text


def test_modules_built_again_from_the_lock_file_equal_the_installed(vendor: Path) -> None:
    assert console_vendor.build() == _files(vendor)


def test_modules_import_only_each_other_and_name_no_source_map(vendor: Path) -> None:
    modules = {name: text for name, text in _files(vendor).items() if name.endswith(".js")}

    assert sorted(modules) == ["hooks.js", "htm.js", "preact.js"]
    for text in modules.values():
        imported = re.findall(rb"""\b(?:from|import)\s*["']([^"']+)["']""", text)
        assert {name.decode() for name in imported} <= {f"./{name}" for name in modules}
        assert b"sourceMappingURL" not in text


def test_licences_are_next_to_the_modules(vendor: Path) -> None:
    assert "MIT License" in (vendor / "LICENSE-preact.txt").read_text()
    assert "Apache License" in (vendor / "LICENSE-htm.txt").read_text()


def test_current_modules_are_left_alone(vendor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_vendor, "npm_command", lambda: pytest.fail("npm was started"))
    before = {path.name: path.stat().st_mtime_ns for path in vendor.iterdir()}

    console_vendor.install()

    assert {path.name: path.stat().st_mtime_ns for path in vendor.iterdir()} == before


@pytest.mark.parametrize("change", ["edited", "removed", "lock"])
def test_other_modules_are_replaced(vendor: Path, checkout: Path, change: str) -> None:
    installed = checkout / console_vendor.VENDOR
    shutil.copytree(vendor, installed)
    (installed / "former.js").write_text("old")
    assert console_vendor.is_current(checkout)
    if change == "edited":
        (installed / "htm.js").write_text("old")
    elif change == "removed":
        (installed / "htm.js").unlink()
    else:
        lock = checkout / "console" / "package-lock.json"
        lock.write_text(lock.read_text() + "\n")
    assert not console_vendor.is_current(checkout)

    console_vendor.install(checkout)

    assert console_vendor.is_current(checkout)
    assert _files(installed).keys() == _files(vendor).keys()
    assert (installed / "htm.js").read_bytes() == (vendor / "htm.js").read_bytes()


def test_npm_of_the_package_index_builds_the_same(
    vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    assert console_vendor.build_requirements() == []  # They are current.
    assert console_vendor.build() == _files(vendor)


def test_a_build_without_npm_requires_it_from_the_package_index(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_vendor.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert console_vendor.build_requirements(checkout) == []

    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert console_vendor.build_requirements(checkout) == [console_vendor.NPM_WHEEL]

    # Without a wheel, its source would be compiled for hours.
    monkeypatch.setattr(console_vendor.platform, "machine", lambda: "riscv64")
    assert console_vendor.build_requirements(checkout) == []


def test_a_registry_out_of_reach_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", NO_REGISTRY)
    monkeypatch.setenv("npm_config_cache", str(tmp_path))

    with pytest.raises(VendorError, match=r"^npm failed: .*127\.0\.0\.1:9.*$"):
        console_vendor.build()


def test_npm_that_does_not_finish_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(console_vendor, "npm_command", lambda: waiting)
    monkeypatch.setattr(console_vendor, "NPM_SECONDS_MAX", 0.2)

    with pytest.raises(VendorError, match=r"^npm did not finish within 0\.2 s\.$"):
        console_vendor.build()


def test_missing_npm_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_vendor, "npm_command", lambda: None)

    with pytest.raises(VendorError, match="npm is missing"):
        console_vendor.build()


def test_an_altered_package_is_refused(checkout: Path, tmp_path: Path) -> None:
    lock = checkout / "console" / "package-lock.json"
    content = json.loads(lock.read_text())
    content["packages"]["node_modules/htm"]["integrity"] = f"sha512-{'A' * 86}=="
    lock.write_text(json.dumps(content))

    with pytest.raises(VendorError, match="npm failed"):
        console_vendor.build(checkout)
    assert not (checkout / console_vendor.VENDOR).exists()


@pytest.mark.parametrize(
    ("source", "rewritten"),
    [
        ('import{h}from"preact";', 'import{h}from"./preact.js";'),
        (
            "import 'preact/hooks';\nexport * from 'htm'",
            "import './hooks.js';\nexport * from './htm.js'",
        ),
        ('import "./a.js"; const from = "preact"', 'import "./a.js"; const from = "preact"'),
        ("x;\n//# sourceMappingURL=x.map\n", "x;\n"),
    ],
)
def test_imports_of_packages_become_relative(source: str, rewritten: str, tmp_path: Path) -> None:
    module = tmp_path / "module.mjs"
    module.write_text(source)

    assert console_vendor.rewritten(module) == rewritten.encode()


def test_import_of_another_package_is_refused(tmp_path: Path) -> None:
    module = tmp_path / "module.mjs"
    module.write_text('import x from "lodash"')

    with pytest.raises(VendorError, match="imports lodash"):
        console_vendor.rewritten(module)


@pytest.mark.parametrize("has_registry", [True, False])
def test_the_command_builds_and_reports(
    checkout: Path, tmp_path: Path, *, has_registry: bool
) -> None:
    unreachable = {"npm_config_registry": NO_REGISTRY, "npm_config_cache": str(tmp_path / "cache")}
    environment = {**os.environ, **({} if has_registry else unreachable)}

    def run(*options: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "tools.console_vendor", *options]
        done = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    status, text = run("--check")
    assert status == 1
    assert "run `make console`" in text
    if has_registry:
        assert run() == (0, f"The modules are in {console_vendor.VENDOR}/.\n")
        assert run("--check") == (0, "")
    else:
        status, text = run()
        assert status == 1
        assert text.startswith("The console is not built: npm failed: ")
        assert text.count("\n") == 1
