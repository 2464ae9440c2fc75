"""The console as its users work: by mouse, and by keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import run_program

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-browser")

TOUR_CHECKS_MIN = 77
STOPS_CHECKS_MIN = 42
KEYBOARD_CHECKS_MIN = 11


def test_every_action_of_the_pages_has_its_effect(console: Server) -> None:
    run = run_program(console, "tour")
    assert run.failed("tour") == []
    assert len(run.checks["tour"]) >= TOUR_CHECKS_MIN


@pytest.mark.gate
def test_every_action_of_the_pages_has_its_effect_by_keys_alone(console: Server) -> None:
    run = run_program(console, "tour", HANDS="keyboard")
    assert run.failed("tour") == []
    assert len(run.checks["tour"]) >= TOUR_CHECKS_MIN


def test_tab_alone_reaches_all_controls_in_their_order(console: Server) -> None:
    run = run_program(console, "stops")
    assert run.failed("stops") == []
    assert len(run.checks["stops"]) >= STOPS_CHECKS_MIN


def test_main_paths_need_no_mouse(console: Server) -> None:
    run = run_program(console, "keyboard")
    assert run.failed("keyboard") == []
    assert len(run.checks["keyboard"]) >= KEYBOARD_CHECKS_MIN
