"""The database dies or does not answer: 503 meanwhile, nothing told lost, nothing half done."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from parlour.cli.main import main
from tests.faults.test_nodes import api_of
from tests.support.background_threads import BackgroundThreads
from tests.support.polling import eventually
from tests.support.postgres_server import Postgres, shared
from tests.support.server import Server, ServerError
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("nodes")]

BACK_SECONDS_MAX = 10.0
WRITERS = 8


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A database server of its own, which a test may kill. Every commit is on disk."""
    with Postgres(synchronous_commit="on") as running:
        yield running


@pytest.fixture
def server(postgres: Postgres, tmp_path: Path) -> Iterator[Server]:
    """A server on it."""
    env = {"PARLOUR_DATABASE": postgres.make_database(), "PARLOUR_REQUEST_LOG": "none"}
    with Server(tmp_path / "data", env) as running:
        yield running


class MessageWriters(BackgroundThreads):
    """Writers that go on whatever they are answered."""

    def __init__(self, server: Server, conversation: str) -> None:
        self._path = f"/Conversations/{conversation}/Messages"
        self._server = server
        self.statuses: Counter[int] = Counter()
        self.told: list[tuple[str, int]] = []
        super().__init__(*[()] * WRITERS)

    def _run(self) -> None:
        api = api_of(self._server)
        while not self._stop.wait(0.01):
            answer = api.post(self._path, Body="hello")
            self.statuses[answer.status] += 1
            if answer.status == 201:
                self.told.append((answer.json["sid"], answer.json["index"]))
        api.close()


def kept(server: Server) -> dict[str, int]:
    """Every message in the database, and its index."""
    with closing(connect(server)) as connection:
        return dict(connection.execute("SELECT sid, message_index FROM message").fetchall())


def events_of_messages(server: Server) -> Counter[str]:
    """How many events there are of each message."""
    query = "SELECT subject_sid FROM event WHERE name = 'onMessageAdded'"
    with closing(connect(server)) as connection:
        return Counter(sid for (sid,) in connection.execute(query).fetchall())


def answers(server: Server, conversation: str) -> bool:
    """Whether a write is taken now."""
    api = api_of(server)
    status = api.post(f"/Conversations/{conversation}/Messages", Body="probe").status
    api.close()
    assert status in {201, 503}
    return status == 201


def nothing_half_done(server: Server, concurrent_writers: MessageWriters) -> None:
    """What was told is kept, indexes have no gap, and each message has its event."""
    assert set(concurrent_writers.statuses) <= {201, 503}, concurrent_writers.statuses
    found = kept(server)
    assert [each for each in concurrent_writers.told if found.get(each[0]) != each[1]] == []
    assert sorted(found.values()) == list(range(len(found)))
    assert events_of_messages(server) == Counter(found.keys())


def test_a_killed_database_costs_seconds_and_no_answered_write(
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
    nothing_half_done(server, concurrent_writers)
    assert concurrent_writers.statuses[503] > 0
    assert concurrent_writers.statuses[201] > 100
    api.close()


def test_connections_that_are_cut_are_made_anew(postgres: Postgres, server: Server) -> None:
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
    nothing_half_done(server, concurrent_writers)
    assert answers(server, conversation)
    api.close()


@pytest.mark.promise("STORE_TRANSACTION_MS_MAX", 503)
def test_a_database_that_does_not_answer_is_not_waited_for_for_ever(
    postgres: Postgres, server: Server
) -> None:
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
        begun = time.monotonic()
        assert not answers(server, conversation)
        assert time.monotonic() - begun < BACK_SECONDS_MAX
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    eventually(
        lambda: answers(server, conversation), lambda is_back: is_back, seconds=BACK_SECONDS_MAX
    )
    api.close()


def test_a_database_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
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
def test_a_role_without_rights_on_the_schema_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Since PostgreSQL 15, only the owner of a database may create tables in its public schema."""
    monkeypatch.chdir(tmp_path)
    runner = CliRunner(env={"PARLOUR_DATA": str(tmp_path)})
    if command[0] == "migrate-store":
        assert runner.invoke(main, ["account", "create"]).exit_code == 0
    url = shared().make_database()
    name = url.rpartition("/")[2]
    shared().sql(f"ALTER DATABASE {name} OWNER TO parlour")
    done = runner.invoke(main, [*command, url])
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
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
def test_a_parameter_that_the_database_refuses_is_said_at_the_start(
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
