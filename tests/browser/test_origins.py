"""Pages of other origins, in Chromium: the console gives them nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import run_program

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-browser")

CHECKS_MIN = 6


def test_other_origins_neither_read_nor_change_nor_frame_the_console(console: Server) -> None:
    run = run_program(console, "origins")
    assert run.failed("origins") == []
    assert len(run.checks["origins"]) >= CHECKS_MIN
