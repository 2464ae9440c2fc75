"""The frame of the console: the account in use, sign-out and sign-in, and a session of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import run_program

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-browser")

KEY = {"API_KEY_SID": "SK" + "0" * 32, "API_KEY_SECRET": "parlour-test-api-key-secret"}


def test_the_frame_of_the_console(console: Server) -> None:
    run = run_program(console, "frame", **KEY)
    assert run.failed("frame") == []
    assert len(run.checks["frame"]) == 10
