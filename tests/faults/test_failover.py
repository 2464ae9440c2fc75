"""The primary is lost and its synchronous standby promoted: seconds of 503, and no loss."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.fault_run import ANSWER_SECONDS_MAX, run_with_fault
from tests.faults.test_nodes import api_of
from tests.faults.webhook_completeness import IN_FLIGHT_MAX, wait_for_all_webhooks
from tests.support.postgres_server import Postgres
from tests.support.server import Server
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.fault_run import FaultRun

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("nodes")]

WRITES_BACK_SECONDS_MAX = 10.0
READS_BACK_SECONDS_MAX = 5.0
NOTICED_SECONDS = 0.5
"""The time until the supervisor of the primary promotes the standby."""
FAILOVERS = int(os.environ.get("PARLOUR_FAILOVERS", "20"))


class PrimaryAndStandby:
    """A primary, and a standby that confirms each of its commits, or receives them if it can."""

    def __init__(self, *, is_synchronous: bool = True) -> None:
        self.primary = Postgres(synchronous_commit="on").start()
        self._database = self.primary.make_database()
        self.wire = TcpProxy(self.primary.port)
        self.wire.__enter__()
        self.standby = Postgres(
            copy_of=self.primary, by_port=self.wire.port, synchronous_commit="on"
        ).start()
        if is_synchronous:
            self.primary.confirm_by_standby()
        self._hosts = self.primary.port, self.standby.port

    def url(self, *ports: int) -> str:
        """Return a URL for the writable database on these hosts, by default on both."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports or self._hosts)
        url = self._database.replace(f"127.0.0.1:{self._hosts[0]}", hosts)
        return f"{url}?target_session_attrs=read-write"

    def fail_over(self) -> None:
        """Promote the standby; it is the primary from now on."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def rebuild(self) -> None:
        """Start a new standby in place of the failed server."""
        dead = self.standby
        self.standby = Postgres(copy_of=self.primary, synchronous_commit="on")
        self.standby.take_port_of(dead)
        dead.close()
        self.standby.start()
        self.primary.confirm_by_standby()

    def close(self) -> None:
        """Stop both, and the proxy between them."""
        self.primary.close()
        self.standby.close()
        self.wire.__exit__()


@pytest.fixture
def pair() -> Iterator[PrimaryAndStandby]:
    """Two database servers."""
    with closing(PrimaryAndStandby()) as made:
        yield made


def server_on(url: str, folder: Path) -> Server:
    """Return a server with that database URL."""
    return Server(folder / "data", {"PARLOUR_DATABASE": url, "PARLOUR_REQUEST_LOG": "none"})


@contextmanager
def recovers_in_time(at_work: FaultRun) -> Iterator[None]:
    """Assert that reads and changes succeed again within seconds."""
    refused, started = at_work.refused, time.monotonic()
    yield
    reads = at_work.seconds_until(at_work.reads, started)
    writes = at_work.seconds_until(at_work.writes, started)
    print(f"reads back after {reads:.2f} s, changes after {writes:.2f} s", file=sys.stderr)
    assert reads <= READS_BACK_SECONDS_MAX
    assert writes <= WRITES_BACK_SECONDS_MAX
    assert at_work.refused > refused


def test_killed_primary_costs_seconds_and_no_acknowledged_change(
    pair: PrimaryAndStandby, tmp_path: Path
) -> None:
    server = server_on(pair.url(), tmp_path)
    with (
        server,
        wait_for_all_webhooks(server, tmp_path, lambda: IN_FLIGHT_MAX),
        run_with_fault(server, tmp_path) as at_work,
    ):
        at_work.work(1)
        with recovers_in_time(at_work):
            at_work.note("the primary is killed")
            pair.primary.kill()
            time.sleep(NOTICED_SECONDS)
            pair.fail_over()
        at_work.work(1)


@pytest.mark.promise("how-to/move-to-postgresql.md", "After a fail-over requests are answered 503")
def test_unreachable_primary_times_out(pair: PrimaryAndStandby, tmp_path: Path) -> None:
    with TcpProxy(pair.primary.port) as wire:
        server = server_on(pair.url(wire.port, pair.standby.port), tmp_path)
        server.database = pair.url()  # The test itself bypasses the proxy.
        with server, run_with_fault(server, tmp_path) as at_work:
            at_work.work(1)
            started = time.monotonic()
            at_work.note("the primary's machine is gone")
            wire.black_hole()
            pair.primary.kill()
            time.sleep(NOTICED_SECONDS)
            pair.fail_over()
            writes = at_work.seconds_until(at_work.writes, started)
            print(f"changes after {writes:.2f} s", file=sys.stderr)
            assert writes <= WRITES_BACK_SECONDS_MAX
            # Clients with requests in flight there are asked to retry.
            waited = at_work.seconds_until(lambda: at_work.refused > 0, started)
            assert waited <= ANSWER_SECONDS_MAX
            at_work.work(0.5)


def test_unconfirmed_commit_returns_503_and_is_not_visible(
    pair: PrimaryAndStandby, tmp_path: Path
) -> None:
    with server_on(pair.url(), tmp_path) as server, closing(api_of(server)) as api:
        path = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}/Messages"
        paused = pair.standby.processes()
        for pid in paused:
            os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            api.post(path, Body="unconfirmed").refuses(503, 20503)
            assert time.monotonic() - started < ANSWER_SECONDS_MAX
            # Cancelling the commit did not make the primary commit it alone, either.
            for _ in range(10):
                assert api.get(path).expect(200)["messages"] == []
                time.sleep(0.1)
        finally:
            for pid in paused:
                os.kill(pid, signal.SIGCONT)
        assert api.post(path, Body="confirmed").expect(201)["index"] in {0, 1}
        shown = [each["index"] for each in api.get(path).expect(200)["messages"]]
        assert shown == list(range(len(shown)))


@pytest.mark.gate
@pytest.mark.timeout(120 + FAILOVERS * 20)
def test_repeated_failovers_lose_nothing(pair: PrimaryAndStandby, tmp_path: Path) -> None:
    server = server_on(pair.url(), tmp_path)
    with (
        server,
        wait_for_all_webhooks(server, tmp_path, lambda: FAILOVERS * IN_FLIGHT_MAX),
        run_with_fault(server, tmp_path) as at_work,
    ):
        for number in range(FAILOVERS):
            at_work.work(1)
            with recovers_in_time(at_work):
                at_work.note(f"primary {number} is killed")
                pair.primary.kill()
                time.sleep(NOTICED_SECONDS)
                pair.fail_over()
            at_work.work(0.5)
            pair.rebuild()
