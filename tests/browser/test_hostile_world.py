"""Hostile texts in every place: the pages of the console only show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import run_program

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-browser")

CHECKS_MIN = 40


def test_hostile_texts_are_shown_and_nothing_else_happens(console: Server) -> None:
    run = run_program(console, "hostile")
    assert run.failed("hostile") == []
    assert len(run.checks["hostile"]) >= CHECKS_MIN
