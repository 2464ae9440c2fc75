"""A server that is killed during constant changes, and clients that lose nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk_runner import ProgramRun, settings_for

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


def run_with_kills(
    server: Installation, kill: Callable[[], object], *, seconds: int, kills: int
) -> dict[str, int]:
    """Run clients and changes for some seconds, with this many kills; return the counts."""
    settings = settings_for(server, "3.0.1")
    settings |= {"SECONDS": str(seconds), "KILLS": str(kills), "CLIENTS": str(CLIENTS)}
    if seed := os.environ.get("PARLOUR_LEDGER_SEED"):
        settings["SEED"] = seed
    run = ProgramRun(["ledger.mjs"], settings, LEDGER_SECONDS_MAX, {"kill": kill})
    (world,) = run.of("world")
    print(world, file=sys.stderr)
    assert run.failed("ledger") == [], world
    assert len(run.of("action")) == kills
    # Otherwise the run proves little.
    assert world["succeeded"] >= 5 * seconds, world
    return world


def run_with_kills_of_one(server: Server, *, seconds: int, kills: int) -> None:
    world = run_with_kills(server, lambda: killed(server), seconds=seconds, kills=kills)
    assert world["losses"] >= CLIENTS * kills, world  # Each kill closed each client's connection.


def test_every_client_converges_to_the_state_of_rest(fresh_server: Server) -> None:
    run_with_kills_of_one(fresh_server, seconds=10, kills=2)


@pytest.mark.gate
@pytest.mark.timeout(400)
def test_every_client_converges_to_the_state_of_rest_after_a_long_run(fresh_server: Server) -> None:
    run_with_kills_of_one(fresh_server, seconds=120, kills=12)
