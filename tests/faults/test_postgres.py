"""The database is killed or unresponsive: 503 during that time, no loss, no partial change."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_nodes import api_of
from tests.support.background_threads import BackgroundThreads
from tests.support.polling import eventually
from tests.support.postgres_server import Postgres, shared
from tests.support.preloaded_servers import template
from tests.support.server import Server, ServerError
from tests.support.server_database import connect

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("nodes")]

BACK_SECONDS_MAX = 10.0
WRITERS = 8


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A separate database server, which a test may kill. Every commit is on disk."""
    with Postgres(synchronous_commit="on") as running:
        yield running


@pytest.fixture
def server(postgres: Postgres, tmp_path: Path) -> Iterator[Server]:
    """A server on that database."""
    env = {"PARLOUR_DATABASE": postgres.make_database(), "PARLOUR_REQUEST_LOG": "none"}
    with Server(tmp_path / "data", env) as running:
        yield running


class MessageWriters(BackgroundThreads):
    """Writers that continue after errors."""

    def __init__(self, server: Server, conversation: str) -> None:
        self._path = f"/Conversations/{conversation}/Messages"
        self._server = server
        self.statuses: Counter[int] = Counter()
        self.acknowledged: list[tuple[str, int]] = []
        super().__init__(*[()] * WRITERS)

    def _run(self) -> None:
        api = api_of(self._server)
        while not self._stop.wait(0.01):
            answer = api.post(self._path, Body="hello")
            self.statuses[answer.status] += 1
            if answer.status == 201:
                self.acknowledged.append((answer.json["sid"], answer.json["index"]))
        api.close()


def stored_messages(server: Server) -> dict[str, int]:
    """Return every message in the database, with its index."""
    with closing(connect(server)) as connection:
        return dict(connection.execute("SELECT sid, message_index FROM message").fetchall())


def events_of_messages(server: Server) -> Counter[str]:
    """Return the number of events of each message."""
    query = "SELECT subject_sid FROM event WHERE name = 'onMessageAdded'"
    with closing(connect(server)) as connection:
        return Counter(sid for (sid,) in connection.execute(query).fetchall())


def answers(server: Server, conversation: str) -> bool:
    """Return whether a write succeeds now."""
    api = api_of(server)
    status = api.post(f"/Conversations/{conversation}/Messages", Body="probe").status
    api.close()
    assert status in {201, 503}
    return status == 201


def assert_consistent(server: Server, concurrent_writers: MessageWriters) -> None:
    """Acknowledged messages are stored, indexes have no gap, each message has its event."""
    assert set(concurrent_writers.statuses) <= {201, 503}, concurrent_writers.statuses
    found = stored_messages(server)
    assert [each for each in concurrent_writers.acknowledged if found.get(each[0]) != each[1]] == []
    assert sorted(found.values()) == list(range(len(found)))
    assert events_of_messages(server) == Counter(found.keys())


def test_killed_database_costs_seconds_and_no_acknowledged_write(
    postgres: Postgres, server: Server
) -> None:
    api = api_of(server)
    conversation = api.post("/Conversations").expect(201)["sid"]
    concurrent_writers = MessageWriters(server, conversation)
    concurrent_writers.start()
    try:
        for _ in range(3):
            time.sleep(1)
            postgres.kill()
            time.sleep(1)
            postgres.start()
            eventually(
                lambda: answers(server, conversation), lambda is_back: is_back,
                seconds=BACK_SECONDS_MAX,
            )  # fmt: skip
    finally:
        concurrent_writers.stop()
    assert_consistent(server, concurrent_writers)
    assert concurrent_writers.statuses[503] > 0
    assert concurrent_writers.statuses[201] > 100
    api.close()


def test_terminated_connections_are_replaced(postgres: Postgres, server: Server) -> None:
    api = api_of(server)
    conversation = api.post("/Conversations").expect(201)["sid"]
    concurrent_writers = MessageWriters(server, conversation)
    concurrent_writers.start()
    try:
        for _ in range(10):
            time.sleep(0.3)
            postgres.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'parlour'"
            )
    finally:
        concurrent_writers.stop()
    assert_consistent(server, concurrent_writers)
    assert answers(server, conversation)
    api.close()


@pytest.mark.promise("STORE_TRANSACTION_MS_MAX", 503)
def test_requests_to_an_unresponsive_database_time_out(postgres: Postgres, server: Server) -> None:
    api = api_of(server)
    conversation = api.post("/Conversations").expect(201)["sid"]
    pids = postgres.sql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'parlour'"
    ).split()
    assert postgres.process is not None
    stopped = [*map(int, pids), postgres.process.pid]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert not answers(server, conversation)
        assert time.monotonic() - started < BACK_SECONDS_MAX
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    eventually(
        lambda: answers(server, conversation), lambda is_back: is_back, seconds=BACK_SECONDS_MAX
    )
    api.close()


def test_start_without_a_database_reports_it(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", {"PARLOUR_DATABASE": "postgresql://nobody@127.0.0.1:9/none"})
    with pytest.raises(ServerError, match="the database cannot be used: no connection") as raised:
        server.start()
    assert "Traceback" not in str(raised.value)


@pytest.mark.parametrize(
    "command",
    [
        ("serve", "--port", "0", "--database"),
        ("account", "create", "--database"),
        ("migrate-store", "--from", "sqlite:parlour.sqlite3", "--to"),
    ],
    ids=lambda command: str(command[0]),
)
def test_start_with_a_role_without_schema_rights_reports_it(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Since PostgreSQL 15, only the owner of a database may create tables in its public schema."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = Server(tmp_path, {"PARLOUR_DATA": str(tmp_path)}).environment()
        return template().run(arguments, environment, tmp_path, seconds_max=30)

    if command[0] == "migrate-store":
        assert run("account", "create").returncode == 0
    url = shared().make_database()
    name = url.rpartition("/")[2]
    shared().sql(f"ALTER DATABASE {name} OWNER TO parlour")
    done = run(*command, url)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert "permission denied for schema public" in done.stderr
    assert "the role of the URL has to own the database" in done.stderr


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("foo=bar", 'unrecognized configuration parameter "foo"'),
        ("work_mem=much", 'invalid value for parameter "work_mem"'),
        ("max_connections=3", "cannot be changed without restarting"),
    ],
)
def test_start_with_a_rejected_parameter_reports_it(
    tmp_path: Path, parameter: str, reason: str
) -> None:
    url = f"{shared().make_database()}?{parameter}"
    server = Server(tmp_path / "data", {"PARLOUR_DATABASE": url})
    with pytest.raises(
        ServerError, match="the database cannot be used: no connection to "
    ) as raised:
        server.start()
    assert reason in str(raised.value)
    assert "Traceback" not in str(raised.value)
