"""Clients of a server that restarts after a graceful stop, and after a kill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk_runner import VERSIONS, ProgramRun, settings_for

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-restart")

RESTART_SECONDS_MAX = 120


def killed(server: Server) -> None:
    server.kill()
    server.start()


@pytest.mark.parametrize("version", VERSIONS)
def test_client_reconnects_after_a_restart(fresh_server: Server, version: str) -> None:
    does = {"restart": fresh_server.restart, "kill": lambda: killed(fresh_server)}
    settings = settings_for(fresh_server, version)
    run = ProgramRun(["run.mjs", "restart"], settings, RESTART_SECONDS_MAX, does)
    assert run.failed("restart") == []
    assert len(run.checks["restart"]) > 10
