"""The first steps with the console work on an empty server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import run_program

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-browser")

STEPS = 6


def test_a_request_a_phone_and_a_failing_webhook_on_an_empty_server(console: Server) -> None:
    run = run_program(console, "newcomer", seconds_max=100)
    assert run.failed("newcomer") == []
    assert len(run.checks["newcomer"]) == STEPS
