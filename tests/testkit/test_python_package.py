"""The Python kit as a distribution: its dependencies, and its cost in runs without it."""

from __future__ import annotations

import os
import subprocess
import sys
from email import message_from_string
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import event_names
from tests.testkit.installed_kit import SOURCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import Server
    from tests.testkit.installed_kit import InstalledKit

pytestmark = [pytest.mark.xdist_group("python-kit"), pytest.mark.embedded]

IMPORT_MS_MAX = 10
IMPORT = """
import sys, time
import pytest
best = None
for _ in range(7):
    for name in [name for name in sys.modules if name.startswith("parlour_testkit")]:
        del sys.modules[name]
    before, start = set(sys.modules), time.process_time()
    import parlour_testkit.plugin
    taken = time.process_time() - start
    best = taken if best is None else min(best, taken)
print(best * 1000)
print(*sorted(set(sys.modules) - before))
"""


def test_the_distribution_has_no_dependency_and_a_typed_plugin(kit: InstalledKit) -> None:
    [info] = kit.site.glob("parlour_testkit-*.dist-info")
    metadata = message_from_string((info / "METADATA").read_text())

    assert metadata.get_all("Requires-Dist") is None
    assert metadata.get_all("Provides-Extra") is None
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Private :: Do Not Upload" in (metadata.get_all("Classifier") or [])
    entries = (info / "entry_points.txt").read_text()
    assert entries.split() == ["[pytest11]", "parlour=parlour_testkit.plugin"]
    assert (kit.site / "parlour_testkit" / "py.typed").is_file()


def test_the_plugin_imports_only_itself_and_in_time(kit: InstalledKit) -> None:
    taken, imported = kit.run_python(IMPORT).splitlines()

    assert imported.split() == ["parlour_testkit", "parlour_testkit.plugin"]
    assert float(taken) <= IMPORT_MS_MAX


def test_a_server_without_test_mode_is_refused(kit: InstalledKit, server: Server) -> None:
    url, login = server.base_url, (server.account_sid, server.auth_token)
    code = f"""
import parlour_testkit
try:
    parlour_testkit.connect({url!r}, account_sid={login[0]!r}, auth_token={login[1]!r})
except parlour_testkit.TestKitError as error:
    print(error)
"""

    assert kit.run_python(code) == (
        f"The server at {url} is not in test mode: start it with --test.\n"
    )


def test_the_kit_knows_the_events_of_the_server(kit: InstalledKit) -> None:
    code = "from parlour_testkit.webhooks import *; print(*PRE_ACTION, *POST_ACTION)"

    assert kit.run_python(code).split() == [*event_names.PRE_ACTION, *event_names.POST_ACTION]


OLD_PINS = ("uvicorn==0.20.0", "cryptography==40.0.2", "websockets==10.4")
"""Versions that the server does not run with."""


@pytest.mark.gate
def test_the_kit_is_installed_next_to_old_pins(tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    program = folder / "bin" / "python"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PARLOUR_"))}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(program), *arguments], env=inherited, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("-m", "pip", "install", "--quiet", *OLD_PINS, "pytest", "flit-core")
    run("-m", "pip", "install", "--quiet", "--no-build-isolation", str(SOURCE))

    assert "No broken requirements" in run("-m", "pip", "check")
    frozen = run("-m", "pip", "freeze").splitlines()
    assert set(OLD_PINS) <= set(frozen)
    (tmp_path / "test_none.py").touch()
    assert "parlour_clock" in run("-m", "pytest", "--fixtures", str(tmp_path / "test_none.py"))
