"""A server that is killed while everything changes, and clients that lose nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.contract.realtime_run import Run, settings_for

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-restart")

LEDGER_SECONDS_MAX = 280


def killed(server: Server) -> None:
    server.kill()
    server.start()


def ledger(server: Server, seconds: int, kills: int) -> None:
    settings = settings_for(server, "3.0.1")
    settings |= {"SECONDS": str(seconds), "KILLS": str(kills), "CLIENTS": "20"}
    if seed := os.environ.get("PARLOUR_LEDGER_SEED"):
        settings["SEED"] = seed
    does = {"kill": lambda: killed(server)}
    run = Run(["ledger.mjs"], settings, LEDGER_SECONDS_MAX, does)
    (world,) = run.of("world")
    assert run.failed("ledger") == [], world
    assert len(run.of("ask")) == kills
    # Otherwise little was tried: many changes, and each client lost its connection.
    assert world["succeeded"] >= 5 * seconds, world
    assert world["losses"] >= 20 * kills, world


def test_every_client_ends_with_what_rest_shows(fresh_server: Server) -> None:
    ledger(fresh_server, seconds=15, kills=2)


@pytest.mark.gate
@pytest.mark.timeout(400)
def test_every_client_ends_with_what_rest_shows_after_a_long_time(fresh_server: Server) -> None:
    ledger(fresh_server, seconds=120, kills=12)
