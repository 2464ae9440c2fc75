"""The unmodified client SDK on a server whose clock advances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.sdk_runner import VERSIONS, ProgramRun
from tests.support.server import Server
from tests.testmode.test_clock_api import ENV, SECRET, TOKEN

if TYPE_CHECKING:
    from pathlib import Path

RUN_SECONDS_MAX = 60


def test_clients_see_timers_and_the_ends_of_their_tokens(tmp_path: Path) -> None:
    with Server(tmp_path / "data", ENV, args=("--test",)) as server:
        ready = server.ready()
        settings = {
            "BASE_URL": ready["url"],
            "ACCOUNT_SID": ready["account_sid"],
            "AUTH_TOKEN": TOKEN,
            "KEY_SID": ready["api_key_sid"],
            "KEY_SECRET": SECRET,
            "SDK": VERSIONS["3.0.1"],
            "NODE_NO_WARNINGS": "1",
        }
        run = ProgramRun(["run.mjs", "clock"], settings, RUN_SECONDS_MAX)
    assert run.failed("clock") == []
    assert [line["ok"] for line in run.checks["clock"] if line["check"] == "runs to its end"]
