"""All pages and dialogs: accessibility, layout, no errors, and no requests to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import make_operator, run_program

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-browser")

CHECKS_MIN = 500


def test_all_pages_and_dialogs_in_both_themes_and_widths_have_no_finding(console: Server) -> None:
    run = run_program(console, "axe", **make_operator(console, "viewer", "view"))
    assert run.failed("axe") == []
    assert len(run.checks["axe"]) >= CHECKS_MIN
