"""``parlour migrate-store``: the same store in PostgreSQL, also after an interruption."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary.crash_points import BATCH_MOVED
from tests.checkers.concurrent_writers import ConcurrentWriters, basic
from tests.checkers.observed_state import read_everything
from tests.checkers.request_log import RequestLog
from tests.checkers.workload import Writer
from tests.crash.kill_run import WRITERS, set_up
from tests.resources.media_setup import MediaClient
from tests.support.client import Api
from tests.support.postgres_server import shared
from tests.support.preloaded_servers import template
from tests.support.server import Server, ServerError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.checkers.observed_state import ObservedState

# The database server is started once, so one process runs these tests.
pytestmark = pytest.mark.xdist_group("moving")

DATABASE = "parlour.sqlite3"
SEED = 11
ANSWERS = 500
SECONDS_MAX = 20.0


def _seen(server: Server) -> ObservedState:
    api = Api(server.base_url, server.account_sid, server.auth_token)
    try:
        return read_everything(api, [])
    finally:
        api.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, ObservedState]]:
    """A stopped server on the embedded database with objects of every kind, and their responses."""
    folder = tmp_path_factory.mktemp("source")
    with (
        pytest.MonkeyPatch.context() as patched,
        closing(RequestLog(folder / "requests.jsonl")) as request_log,
    ):
        patched.setenv("PARLOUR_TEST_ENGINE", "sqlite")
        # URLs in responses must be the same on another port.
        with Server(env={"PARLOUR_PUBLIC_URL": "https://chat.example.net"}) as server:
            world = set_up(server, request_log)
            writers = [Writer(number, SEED, world) for number in range(WRITERS)]
            place = basic(server.account_sid, server.auth_token)
            concurrent_writers = ConcurrentWriters(writers, request_log, lambda: server.port, place)
            concurrent_writers.start()
            concurrent_writers.wait_for(ANSWERS, SECONDS_MAX)
            concurrent_writers.stop()
            _send_with_template(server)
            seen = _seen(server)
            server.stop()
            yield server, seen


def _send_with_template(server: Server) -> None:
    """Send a message whose content is a medium without a file."""
    api = Api(server.base_url, server.account_sid, server.auth_token)
    template = {"FriendlyName": "greeting", "Body": "Hello"}
    made = api.post("/parlour/v1/ContentTemplates", template).expect(201)
    api.post("/Conversations", UniqueName="templates").expect(201)
    api.post("/Conversations/templates/Messages", ContentSid=made["sid"]).expect(201)
    api.close()


def _move(server: Server, target: str, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    environment = server.environment() | {"PARLOUR_DATABASE": target, "PARLOUR_CRASH_AT": crash_at}
    command = ["migrate-store", "--from", f"sqlite:{server.data_dir}", "--json"]
    return template().run(command, environment, Path.cwd(), seconds_max=120)


def _lines(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return {line["table"]: line for line in map(json.loads, done.stdout.splitlines())}


def _numbers(server: Server) -> dict[str, int]:
    """Return the number of rows of each table of the embedded database."""
    with closing(sqlite3.connect(server.data_dir / DATABASE)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        tables = [n for (n,) in names if not n.startswith("sqlite_") and n != "migration"]
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in tables
        }


def _served(server: Server, target: str) -> Server:
    """The same server on the target database, with the same key."""
    settings = {"PARLOUR_DATABASE": target, "PARLOUR_PUBLIC_URL": "https://chat.example.net"}
    other = Server(server.data_dir, env=settings)
    other.account_sid, other.auth_token = server.account_sid, server.auth_token
    return other


def test_all_rows_are_copied_and_responses_are_the_same(
    source: tuple[Server, ObservedState],
) -> None:
    server, before = source
    target = shared().make_database()
    moved = _lines(_move(server, target))
    assert {name: line["rows"] for name, line in moved.items()} == _numbers(server)
    assert sum(line["rows"] > 0 for line in moved.values()) > 10
    with _served(server, target) as again:
        after = _seen(again)
        assert len(before.objects) > 100
        assert after.objects == before.objects
        made = Api(again.base_url, again.account_sid, again.auth_token)
        made.post("/Conversations", FriendlyName="the first of the new store").expect(201)
        service_sid = made.get("/Conversations/templates").expect(200)["chat_service_sid"]
        sid = shared().sql("SELECT sid FROM media WHERE content IS NOT NULL", target).strip()
        content = MediaClient.of_account(again, made, service_sid).content(sid)
        assert content.body == b'{"data":{"body":"Hello"}}'
        made.close()
    # Row-level security is enabled as in any other store.
    low = """SELECT count(*) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
              WHERE relkind = 'r' AND attname = 'account_sid' AND NOT relforcerowsecurity"""
    assert shared().sql(low, target) == "0\n"
    # Event numbers continue: none is assigned twice.
    last = "SELECT seq FROM sqlite_sequence WHERE name = 'event'"
    with closing(sqlite3.connect(server.data_dir / DATABASE)) as connection:
        (position,) = connection.execute(last).fetchone()
    next_event = f"SELECT min(sequence) FROM event WHERE sequence > {position}"
    found = shared().sql(next_event, target)
    assert int(found) == position + 1


def test_an_interrupted_move_resumes(source: tuple[Server, ObservedState]) -> None:
    server, before = source
    target = shared().make_database()
    events_before = []
    for passage in (1, 4, 7):
        killed = _move(server, target, f"{BATCH_MOVED}#{passage}")
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        events_before.append(int(shared().sql("SELECT sum(rows) FROM store_move", target)))
    assert 0 < events_before[0] < events_before[1] < events_before[2]
    done = _move(server, target)
    assert {name: line["rows"] for name, line in _lines(done).items()} == _numbers(server)
    # Rows that already existed were not copied again.
    first_table = done.stderr.splitlines()[0]
    assert "account:" not in first_table, first_table
    assert shared().sql("SELECT to_regclass('store_move') IS NULL", target) == "t\n"
    with _served(server, target) as again:
        assert _seen(again).objects == before.objects


def test_a_source_that_changed_in_between_is_noticed(
    source: tuple[Server, ObservedState], tmp_path: Path
) -> None:
    server, _ = source
    target = shared().make_database()
    assert _move(server, target, f"{BATCH_MOVED}#12").returncode == -signal.SIGKILL
    change = "UPDATE account SET friendly_name = 'another'"
    with closing(sqlite3.connect(server.data_dir / DATABASE)) as connection, connection:
        (stored,) = connection.execute("SELECT friendly_name FROM account").fetchone()
        connection.execute(change)
    try:
        done = _move(server, target)
    finally:
        with closing(sqlite3.connect(server.data_dir / DATABASE)) as connection, connection:
            connection.execute("UPDATE account SET friendly_name = ?", (stored,))
    assert done.returncode == 1
    assert "account is not the same on both sides" in done.stderr


def test_a_target_that_is_not_empty_is_not_changed(source: tuple[Server, ObservedState]) -> None:
    server, _ = source
    target = shared().make_database()
    _lines(_move(server, target))
    again = _move(server, target)
    assert again.returncode == 1
    assert "the target is not empty: there are rows in account" in again.stderr


def test_a_partial_copy_of_another_store_is_not_resumed(
    source: tuple[Server, ObservedState], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = source
    target = shared().make_database()
    assert _move(server, target, f"{BATCH_MOVED}#1").returncode == -signal.SIGKILL
    monkeypatch.setenv("PARLOUR_TEST_ENGINE", "sqlite")
    with Server() as other:
        other.stop()
        done = _move(other, target)
    assert done.returncode == 1
    assert "part of another store" in done.stderr


def test_a_running_server_is_not_moved_under_its_feet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLOUR_TEST_ENGINE", "sqlite")
    with Server() as server:
        done = _move(server, shared().make_database())
        assert done.returncode == 1
        assert "is in use: stop the server first" in done.stderr
        Api(server.base_url, server.account_sid, server.auth_token).get("/Services").expect(200)


@pytest.mark.parametrize(
    ("source_url", "target_url", "message"),
    [
        ("mysql:x", "postgresql://127.0.0.1:1/x", "sqlite:PATH"),
        ("sqlite:/nowhere/at/all", "mysql://x", "postgresql://"),
        ("sqlite:/nowhere/at/all", "postgresql://127.0.0.1:1/x", "there is no database"),
    ],
)
def test_an_impossible_move_is_reported(source_url: str, target_url: str, message: str) -> None:
    server = Server()
    with pytest.raises(ServerError, match=message):
        server.command("migrate-store", "--from", source_url, "--to", target_url, on_data=False)
    server.close()
