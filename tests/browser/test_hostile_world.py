"""Hostile texts in every place, and odd answers: the pages of the console only show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import make_operator, run_program

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-browser")

CHECKS_MIN = 82
ODD_CHECKS_MIN = 95
OPERATOR = '<img src=x onerror="alert(1)"> #operator;'


def test_hostile_texts_are_shown_and_nothing_else_happens(console: Server) -> None:
    run = run_program(console, "hostile", **make_operator(console, OPERATOR, "admin"))
    assert run.failed("hostile") == []
    assert len(run.checks["hostile"]) >= CHECKS_MIN


def test_an_odd_row_of_an_answer_spoils_no_page_and_no_other_row(console: Server) -> None:
    run = run_program(console, "odd")
    assert run.failed("odd") == []
    assert len(run.checks["odd"]) >= ODD_CHECKS_MIN
