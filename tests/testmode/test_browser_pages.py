"""Pages in a real browser: only local ones may use a server in test mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.sdk_runner import ProgramRun
from tests.support.server import Server
from tests.testmode.test_clock_api import ENV, TOKEN

if TYPE_CHECKING:
    from pathlib import Path

RUN_SECONDS_MAX = 60


@pytest.mark.xdist_group("sdk-browser")
def test_a_browser_gets_403_on_a_foreign_page_and_behind_a_rebound_name(tmp_path: Path) -> None:
    with Server(tmp_path / "data", ENV, args=("--test",)) as server:
        ready = server.ready()
        settings = {"BASE_URL": ready["url"], "LOGIN": f"{ready['account_sid']}:{TOKEN}"}
        run = ProgramRun(["pages.mjs"], settings, RUN_SECONDS_MAX)
    found: dict[str, dict[str, Any]] = {line["name"]: line for line in run.of("visit")}

    local = found["local"]
    assert (local["plain"], local["read"], local["written"], local["socket"]) == (
        401,
        200,
        201,
        True,
    )
    for name in ("foreign", "rebound"):
        each = found[name]
        assert each["plain"] in {403, "blocked"}, each
        assert each["read"] in {403, "blocked"}, each
        assert each["written"] in {403, "blocked"}, each
        assert each["socket"] is False, each
        assert "403" in each["refusals"][0], each
    assert found["rebound"]["page"] == 403
