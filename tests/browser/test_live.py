"""An open page of the console shows changes from everywhere, also after the server was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import run_program

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-browser")

CHECKS_MIN = 10


def test_changes_appear_without_a_reload_and_after_a_kill(console: Server) -> None:
    actions = {"kill": console.kill, "restart": console.start}
    run = run_program(console, "live", does=actions, seconds_max=100)
    assert run.failed("live") == []
    assert len(run.checks["live"]) >= CHECKS_MIN
