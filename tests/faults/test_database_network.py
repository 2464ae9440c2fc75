"""The connection to the database is cut, slow or stalled: nothing is lost, nothing is partial."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.fault_run import FaultRun, run_with_fault
from tests.faults.webhook_completeness import repeated_by_terms_max, wait_for_all_webhooks
from tests.support.server import Server
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres_server import Postgres

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("nodes")]

SECONDS = 1.5
LASTING_SECONDS = float(os.environ.get("PARLOUR_FAULT_SECONDS", "30"))
RECOVERY_SECONDS_MAX = 5.0


class ProxiedDatabase:
    """A server whose database traffic goes through a proxy that can be cut."""

    def __init__(self, wire: TcpProxy, server: Server, at_work: FaultRun) -> None:
        self.wire = wire
        self.server = server
        self.at_work = at_work


@contextmanager
def scenario(postgres: Postgres, folder: Path) -> Iterator[ProxiedDatabase]:
    """Run the scenario; at the end nothing is lost, partial, undelivered or invented."""
    url = postgres.make_database()
    with TcpProxy(postgres.port) as wire:
        env = {"PARLOUR_DATABASE": wire.in_front_of(url), "PARLOUR_REQUEST_LOG": "none"}
        server = Server(folder / "data", env)
        server.database = url  # The test itself bypasses the proxy.
        with (
            server,
            wait_for_all_webhooks(server, folder, lambda: repeated_by_terms_max(server)),
            run_with_fault(server, folder) as at_work,
        ):
            at_work.work(0.5)
            yield ProxiedDatabase(wire, server, at_work)
            healed = time.monotonic()
            wire.heal()
            writes = at_work.seconds_until(at_work.writes, healed)
            print(f"{wire.cuts} cuts, changes after {writes:.2f} s", file=sys.stderr)
            assert writes <= RECOVERY_SECONDS_MAX
            at_work.work(0.5)


CUTS = {"lost_answer_chance": 0.2, "lost_commit_chance": 0.2, "cut_chance": 0.02}
"""After a COMMIT was forwarded and before its response, before it, and at any moment."""
SLOW = {"delay_seconds": 0.1}


def inject_fault(here: ProxiedDatabase, fault: str, value: float, seconds: float) -> None:
    """Inject one fault for this time."""
    cuts = here.wire.cuts
    here.at_work.note(fault)
    here.wire.heal()
    setattr(here.wire.faults, fault, value)
    here.at_work.work(seconds)
    assert fault not in CUTS or here.wire.cuts > cuts + seconds


def stall(here: ProxiedDatabase, seconds: float) -> None:
    """Stall all traffic for this time: clients get a 503 in time, as the probes show."""
    here.at_work.note("the wire is silent")
    refused, started = here.at_work.refused, time.monotonic()
    here.wire.black_hole()
    while time.monotonic() < started + seconds:
        assert not here.at_work.writes()
        assert not here.at_work.reads()
    here.at_work.seconds_until(lambda: here.at_work.refused > refused, started)


def test_repeatedly_cut_and_then_slow_connection_loses_nothing(
    postgres: Postgres, tmp_path: Path
) -> None:
    with scenario(postgres, tmp_path) as here:
        for fault, chance in CUTS.items():
            inject_fault(here, fault, chance, SECONDS)
        here.wire.heal()
        for _ in range(3):
            here.wire.cut()
            here.at_work.work(0.2)
        for fault, seconds in SLOW.items():
            inject_fault(here, fault, seconds, SECONDS)


def test_stalled_connection_loses_nothing(postgres: Postgres, tmp_path: Path) -> None:
    with scenario(postgres, tmp_path) as here:
        stall(here, SECONDS)


@pytest.mark.gate
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", [*CUTS, *SLOW, "silence"])
def test_lasting_fault_loses_nothing(postgres: Postgres, tmp_path: Path, fault: str) -> None:
    with scenario(postgres, tmp_path) as here:
        if fault == "silence":
            stall(here, LASTING_SECONDS)
        else:
            inject_fault(here, fault, (CUTS | SLOW)[fault], LASTING_SECONDS)
