"""Fixtures: a server in test mode with the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import ENV
from tests.support.server import Server
from tools import console_vendor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def _vendor() -> None:
    """Build the modules of the console, if they are missing."""
    console_vendor.install()


@pytest.fixture
def console(tmp_path: Path, _vendor: None) -> Iterator[Server]:
    """Return a running server, whose console is open."""
    with Server(tmp_path / "data", ENV, args=("--test",)) as server:
        yield server
