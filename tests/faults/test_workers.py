"""Several workers on one port: all serve, a dead one is replaced, and all stop together."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_nodes import api_of
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres_server import Postgres

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("nodes")]

WORKERS = 3


@pytest.fixture
def several(postgres: Postgres, tmp_path: Path) -> Iterator[Server]:
    """A server with three workers."""
    env = {"PARLOUR_DATABASE": postgres.make_database()}
    with Server(tmp_path / "data", env, ["--workers", str(WORKERS)]) as server:
        eventually(lambda: workers(server), lambda found: len(found) == WORKERS)
        yield server


def test_ready_file_names_the_port_that_all_workers_share(
    postgres: Postgres, tmp_path: Path
) -> None:
    """With port 0, and the PID to signal, which is the parent of the workers."""
    env = {
        "PARLOUR_DATABASE": postgres.make_database(),
        "PARLOUR_ACCOUNT_SID": "",
        "PARLOUR_AUTH_TOKEN": "",
    }
    with Server(tmp_path / "data", env, ["--workers", str(WORKERS), "--port", "0"]) as server:
        ready = server.ready()
        assert ready["pid"] == server.pid
        assert ready["port"] != server.port
        eventually(lambda: listeners(ready["port"]), lambda found: found == WORKERS)
        for _ in range(20):
            with closing(Api(ready["url"], ready["account_sid"], ready["auth_token"])) as api:
                api.get("/Conversations").expect(200)


def listeners(port: int) -> int:
    """Return the number of sockets that listen on a port of 127.0.0.1."""
    place = f"0100007F:{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return sum(line.split()[1] == place and line.split()[3] == "0A" for line in lines[1:])


def workers(server: Server) -> list[int]:
    """Return the PIDs of the server's workers."""
    listed = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def test_every_worker_responds_and_they_agree(several: Server) -> None:
    made = set()
    for number in range(40):
        api = api_of(several)  # A new connection: the kernel chooses a worker.
        made.add(api.post("/Conversations", UniqueName=f"room {number}").expect(201)["sid"])
        api.close()
    api = api_of(several)
    listed = api.get("/Conversations?PageSize=100").expect(200)["conversations"]
    assert made == {each["sid"] for each in listed}
    api.close()


def test_dead_worker_is_replaced(several: Server) -> None:
    time.sleep(2.5)  # Earlier it would count as a failed start.
    before = workers(several)
    os.kill(before[0], signal.SIGKILL)
    eventually(
        lambda: workers(several),
        lambda now: len(now) == WORKERS and before[0] not in now,
    )
    assert several.is_healthy()


def test_signal_stops_all_workers(several: Server) -> None:
    found = workers(several)
    assert several.stop() == 0
    assert not [pid for pid in found if Path(f"/proc/{pid}/cmdline").exists()]


def test_kill_of_the_parent_stops_all_workers(several: Server) -> None:
    found = workers(several)
    os.kill(several.pid, signal.SIGKILL)
    eventually(lambda: [pid for pid in found if is_running(pid)], lambda left: not left, seconds=15)


def is_running(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return state.stdout.strip()[:1] not in {"", "Z"}


def test_sqlite_runs_one_worker(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", {"PARLOUR_DATABASE": ""}, ["--workers", "2"])
    with pytest.raises(ServerError, match="several workers need PostgreSQL"):
        server.start()
