"""`kill -9` while messages arrive: none that was acknowledged is lost, and none is added twice."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary.crash_points import INBOUND_CRASH_POINTS, INBOUND_RECEIVED
from tests.crash.inbound_kill_run import LAUNCH, InboundKillRun
from tests.support.ports import ReservedPort
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KILLS = max(5, int(os.environ.get("PARLOUR_KILLS", "25")) // 5)


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[Callable[..., InboundKillRun]]:
    """A function that prepares a server on a separate folder, with a seed that a failure prints."""
    seed = int(os.environ.get("PARLOUR_SEED", random.getrandbits(32)))
    print(f"seed {seed}")
    with ReservedPort() as port:
        servers = []

        def make(planted: str = "") -> InboundKillRun:
            env = {"CARRIER_PORT": str(port.number), "PLANTED": planted}
            server = Server(tmp_path / "data", env=env, program=(LAUNCH,))
            servers.append(server)
            return InboundKillRun(server, port.number, seed)

        yield make
        for server in servers:
            server.kill()


@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 6)
def test_kills_lose_no_acknowledged_message_and_add_none_twice(
    make_run: Callable[..., InboundKillRun],
) -> None:
    run = make_run()
    found = run.kill_at_random(KILLS)
    assert not found, found
    # The run proves something only with enough messages, and with kills during them.
    assert sum(run.acknowledged) > KILLS * 5
    assert run.repeated


@pytest.mark.slow
@pytest.mark.parametrize("passage", [1, 7])
@pytest.mark.parametrize("point", INBOUND_CRASH_POINTS)
def test_a_crash_at_each_named_point_loses_and_repeats_nothing(
    make_run: Callable[..., InboundKillRun], point: str, passage: int
) -> None:
    assert make_run().crash_at(point, passage) == []


@pytest.mark.slow
def test_an_acknowledgement_before_the_commit_is_found(
    make_run: Callable[..., InboundKillRun],
) -> None:
    """The planted fault: a message that was acknowledged and not stored is missing."""
    assert make_run("acknowledge_first").crash_at(INBOUND_RECEIVED, 7) != []
