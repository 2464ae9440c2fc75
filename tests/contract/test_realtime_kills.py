"""A server that is killed while everything changes, and clients that lose nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk_runner import Run, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.cluster import Installation
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("sdk-restart")

LEDGER_SECONDS_MAX = 280
CLIENTS = 20


def killed(server: Server) -> None:
    server.kill()
    server.start()


def ledger(
    server: Installation, kill: Callable[[], object], *, seconds: int, kills: int
) -> dict[str, int]:
    """Clients and changes for some seconds, with so many kills; what was done."""
    settings = settings_for(server, "3.0.1")
    settings |= {"SECONDS": str(seconds), "KILLS": str(kills), "CLIENTS": str(CLIENTS)}
    if seed := os.environ.get("PARLOUR_LEDGER_SEED"):
        settings["SEED"] = seed
    run = Run(["ledger.mjs"], settings, LEDGER_SECONDS_MAX, {"kill": kill})
    (world,) = run.of("world")
    print(world, file=sys.stderr)
    assert run.failed("ledger") == [], world
    assert len(run.of("ask")) == kills
    # Otherwise little was tried.
    assert world["succeeded"] >= 5 * seconds, world
    return world


def ledger_of_one(server: Server, *, seconds: int, kills: int) -> None:
    world = ledger(server, lambda: killed(server), seconds=seconds, kills=kills)
    assert world["losses"] >= CLIENTS * kills, world  # Each client lost its connection each time.


def test_every_client_ends_with_what_rest_shows(fresh_server: Server) -> None:
    ledger_of_one(fresh_server, seconds=15, kills=2)


@pytest.mark.gate
@pytest.mark.timeout(400)
def test_every_client_ends_with_what_rest_shows_after_a_long_time(fresh_server: Server) -> None:
    ledger_of_one(fresh_server, seconds=120, kills=12)
