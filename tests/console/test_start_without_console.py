"""A start imports no module of the console, whose first request makes its endpoint."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from tests.support.server import REPOSITORY

LOADED: Final = """
import asyncio, json, sys, tempfile
from pathlib import Path
from parlour.app import open_app
from parlour.cli import main, serve
from parlour.config import Settings

async def start_and_stop():
    app = await open_app(Settings(data=Path(tempfile.mkdtemp())))
    await app.start()
    app.connections()
    await app.stop()

asyncio.run(start_and_stop())
print(json.dumps([name for name in sys.modules if name.startswith("parlour.")]))
"""
AT_START: Final = {
    "parlour.console.first_request",
    # Settings count the lag of the event loop from the start, and warn of open files.
    "parlour.inspection.exposed_files",
    "parlour.inspection.loop_lag",
}


def test_a_start_imports_neither_the_console_nor_the_inspection() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=REPOSITORY / "src",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = json.loads(run.stdout)
    assert "parlour.http.server" in loaded
    late = ("parlour.console.", "parlour.inspection.")
    assert {name for name in loaded if name.startswith(late)} <= AT_START
