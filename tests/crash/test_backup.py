"""Backups taken under load: consistent, complete, and restorable on a new server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from parlour.cli.backup import layout_of
from parlour.store.key_file import read_vault
from parlour.store.maintenance.backup import BackupFacts, make_backup
from parlour.vocabulary.clock import SystemRandom
from tests.checkers.atomicity_checker import violations
from tests.checkers.concurrent_writers import ConcurrentWriters, basic
from tests.checkers.request_log import RequestLog
from tests.checkers.workload import Writer
from tests.crash.kill_run import WRITERS, set_up
from tests.resources.media_setup import MediaClient
from tests.support.client import Api
from tests.support.server import Server, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATABASE = "parlour.sqlite3"
KEY = "parlour.key"
SEED = 7
ANSWERS_BEFORE, ANSWERS_AFTER = 400, 200
SECONDS_MAX = 20.0


def _rows(database: Path, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        return connection.execute(sql, arguments).fetchall()


def _position(database: Path) -> int:
    found: int = _rows(database, "SELECT coalesce(max(sequence), 0) FROM event")[0][0]
    return found


def _server_on(server: Server, data_dir: Path) -> Server:
    """Return a server of the same account on another data folder."""
    other = Server(data_dir)
    other.account_sid, other.auth_token = server.account_sid, server.auth_token
    return other


def _restore(server: Server, backup: Path, data_dir: Path, *arguments: str) -> None:
    where = ("--data", str(data_dir))
    server.command("restore", str(backup), *arguments, *where, on_data=False)


class _Uploads:
    """Continuous uploads in a thread, until `stop`."""

    def __init__(self, server: Server) -> None:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        service_sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
        self.media_client = MediaClient.of_account(server, api, service_sid)
        self.api = api
        self.uploaded: dict[str, bytes] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            content = b"%d " % number * 500
            self.uploaded[self.media_client.add(content, "text/plain")["sid"]] = content

    def stop(self) -> None:
        """Stop after the current upload."""
        self._over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def taken(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Server, Path, dict[str, Any]]]:
    """A server, a backup of it that was taken under load, and the known state around it."""
    folder = tmp_path_factory.mktemp("backup")
    backup = folder / "monday"
    with closing(RequestLog(folder / "requests.jsonl")) as request_log, Server() as server:
        world = set_up(server, request_log)
        writers = [Writer(number, SEED, world) for number in range(WRITERS)]
        place = basic(server.account_sid, server.auth_token)
        concurrent_writers = ConcurrentWriters(writers, request_log, lambda: server.port, place)
        uploads = _Uploads(server)
        concurrent_writers.start()
        try:
            concurrent_writers.wait_for(ANSWERS_BEFORE, SECONDS_MAX)
            media_before = dict(uploads.uploaded)
            before = _position(server.data_dir / DATABASE)
            manifest = json.loads(server.command("backup", str(backup), "--json"))
            concurrent_writers.wait_for(ANSWERS_AFTER, SECONDS_MAX)
        finally:
            concurrent_writers.stop()
            uploads.stop()
        known = {
            "before": before,
            "media_before": media_before,
            "media_client": uploads.media_client,
        }
        yield server, backup, known | manifest


def test_a_backup_under_load_has_every_event_up_to_its_position_and_none_after(
    taken: tuple[Server, Path, dict[str, Any]],
) -> None:
    server, backup, known = taken
    position = known["position"]
    everything = "SELECT * FROM event WHERE sequence <= ? ORDER BY sequence"
    expected = _rows(server.data_dir / DATABASE, everything, position)
    assert _rows(backup / DATABASE, "SELECT * FROM event ORDER BY sequence") == expected
    # It was taken during writes: more committed before it ended, and more afterwards.
    assert known["before"] <= position < _position(server.data_dir / DATABASE)
    assert violations(backup) == []


def test_restored_server_responds_like_the_original(
    taken: tuple[Server, Path, dict[str, Any]], tmp_path: Path
) -> None:
    server, backup, known = taken
    _restore(server, backup, tmp_path / "data", "--key", str(server.data_dir / KEY))
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    with _server_on(server, tmp_path / "data") as restored:
        assert violations(restored.data_dir) == []
        api = Api(restored.base_url, restored.account_sid, restored.auth_token)
        assert api.get("/Conversations").expect(200)["conversations"]
        media_client = MediaClient.of_account(restored, api, known["media_client"].service_sid)
        assert len(known["media_before"]) > 3
        for sid, content in known["media_before"].items():
            assert media_client.content(sid).body == content
        # Its secrets can be decrypted: a token is signed with one.
        made = api.post("/parlour/v1/Tokens", Identity="alice").expect(201)
        assert made["token"].count(".") == 2
        api.close()


def test_a_backup_holds_the_media_of_its_rows_and_no_others(
    taken: tuple[Server, Path, dict[str, Any]],
) -> None:
    _, backup, known = taken
    named = {row[0] for row in _rows(backup / DATABASE, "SELECT sid FROM media")}
    files = {path.name for path in (backup / "media").glob("AC*/*/*")}
    assert files == named
    assert set(known["media_before"]) <= files
    assert (known["media_files"], known["media_missing"]) == (len(files), 0)


def test_checksums_are_readable_by_other_tools(
    taken: tuple[Server, Path, dict[str, Any]],
) -> None:
    _, backup, _ = taken
    command = ["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"]
    subprocess.run(command, cwd=backup, check=True)
    files = [path for path in backup.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert backup.stat().st_mode & 0o777 == 0o700


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A stopped server with a few rows, and a folder for its backups."""
    with Server() as server:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        api.post("/Conversations", UniqueName="kept").expect(201)
        template = {"FriendlyName": "greeting", "Body": "Hello"}
        made = api.post("/parlour/v1/ContentTemplates", template).expect(201)
        api.post("/Conversations/kept/Messages", ContentSid=made["sid"]).expect(201)
        server.stop()
        yield server, tmp_path_factory.mktemp("small")


def test_archive_with_the_key_suffices_to_restore(
    small: tuple[Server, Path], tmp_path: Path
) -> None:
    server, _ = small
    packed = tmp_path / "tuesday.tar"
    output = server.command("backup", str(packed), "--with-key")
    # The content of a template has no file, so none is missing.
    assert "missing" not in output
    assert packed.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["tuesday.tar"]
    _restore(server, packed, tmp_path / "new" / "data")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["data"]
    with _server_on(server, tmp_path / "new" / "data") as restored:
        api = Api(restored.base_url, restored.account_sid, restored.auth_token)
        conversation = api.get("/Conversations/kept").expect(200)
        ((medium,),) = _rows(tmp_path / "new" / "data" / DATABASE, "SELECT sid FROM media")
        media_client = MediaClient.of_account(restored, api, conversation["chat_service_sid"])
        assert media_client.content(medium).body == b'{"data":{"body":"Hello"}}'
        api.close()


def test_archive_is_created_next_to_a_folder_of_its_name(
    small: tuple[Server, Path], tmp_path: Path
) -> None:
    server, _ = small
    (tmp_path / "a" / "deep").mkdir(parents=True)
    server.command("backup", str(tmp_path / "a.tar"), "--with-key")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.tar"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["deep"]
    _restore(server, tmp_path / "a.tar", tmp_path / "data")
    assert (tmp_path / "data" / KEY).read_bytes() == (server.data_dir / KEY).read_bytes()


def test_without_its_key_a_backup_is_not_restored(
    small: tuple[Server, Path], tmp_path: Path
) -> None:
    server, _ = small
    backup = tmp_path / "backup"
    assert "It needs the key" in server.command("backup", str(backup))
    assert not (backup / KEY).exists()
    assert (server.data_dir / KEY).read_bytes() not in (backup / DATABASE).read_bytes()
    with pytest.raises(ServerError, match="give it with --key"):
        _restore(server, backup, tmp_path / "data")
    other = tmp_path / "other.key"
    other.touch(mode=0o600)
    other.write_text("0" * 64)
    with pytest.raises(ServerError, match="the backup needs"):
        _restore(server, backup, tmp_path / "data", "--key", str(other))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", [DATABASE, "backup.json", "SHA256SUMS"])
def test_a_damaged_backup_is_not_restored(
    small: tuple[Server, Path], tmp_path: Path, name: str
) -> None:
    server, _ = small
    backup = tmp_path / "backup"
    server.command("backup", str(backup), "--with-key")
    damaged = bytearray((backup / name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (backup / name).write_bytes(damaged)
    with pytest.raises(ServerError, match=r"is damaged|is not a backup"):
        _restore(server, backup, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_existing_targets_are_not_overwritten(small: tuple[Server, Path], tmp_path: Path) -> None:
    server, _ = small
    backup = tmp_path / "backup"
    server.command("backup", str(backup), "--with-key")
    with pytest.raises(ServerError, match="already exists"):
        server.command("backup", str(backup))
    with pytest.raises(ServerError, match="is not empty"):
        _restore(server, backup, server.data_dir)
    with pytest.raises(ServerError, match="there is no"):
        server.command("backup", str(tmp_path / "b"), "--data", str(tmp_path / "e"), on_data=False)
    assert not (tmp_path / "b").exists()


def test_a_backup_of_a_later_version_is_not_restored(
    small: tuple[Server, Path], tmp_path: Path
) -> None:
    server, _ = small
    copy = tmp_path / "data"
    shutil.copytree(server.data_dir, copy)
    with closing(sqlite3.connect(copy / DATABASE)) as connection, connection:
        connection.execute("INSERT INTO migration (name) VALUES ('9999_pre_future')")
    with pytest.raises(ServerError, match="of a later version: 9999_pre_future"):
        server.command("backup", str(tmp_path / "b"), "--data", str(copy), on_data=False)


def test_killed_backup_leaves_none_and_can_be_repeated(
    taken: tuple[Server, Path, dict[str, Any]], tmp_path: Path
) -> None:
    server, _, _ = taken
    backup = tmp_path / "backup"
    command = [sys.executable, "-m", "parlour", "backup", str(backup)]
    child = subprocess.Popen(
        [*command, "--data", str(server.data_dir)],
        env=server.environment(),
        stderr=subprocess.DEVNULL,
    )
    unfinished = tmp_path / ".backup.unfinished"
    deadline = time.monotonic() + SECONDS_MAX
    while not unfinished.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert unfinished.exists()
    assert not backup.exists()
    server.command("backup", str(backup))
    assert (backup / "SHA256SUMS").exists()
    assert not unfinished.exists()


def test_media_deleted_during_a_backup_match_its_database(tmp_path: Path) -> None:
    with Server() as server:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        service_sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
        media_client = MediaClient.of_account(server, api, service_sid)
        early, late = (media_client.add(content)["sid"] for content in (b"early", b"late"))
        server.stop()
        data = layout_of(server.data_dir)

        def remove_during_backup(step: str) -> None:
            if step == "database":
                remove = "UPDATE media SET is_removed = 1 WHERE sid = ?"
                with closing(sqlite3.connect(data.database)) as connection, connection:
                    connection.execute(remove, (early,))
            if step == "media since then":
                next(data.media.glob(f"AC*/*/{late}")).unlink()

        fingerprint = read_vault(data.key, SystemRandom()).fingerprint
        facts = BackupFacts(version="", date="", key_fingerprint=fingerprint)
        made = make_backup(data, tmp_path / "b", facts, remove_during_backup, with_key=False)
        assert [path.name for path in (tmp_path / "b" / "media").glob("AC*/*/*")] == [late]
        assert (made.media_files, made.media_missing) == (1, 0)


def test_backup_of_a_postgresql_server_is_rejected(small: tuple[Server, Path]) -> None:
    server, folder = small
    with pytest.raises(ServerError, match="by its own tools"):
        server.command("backup", str(folder / "b"), "--database", "postgresql://nowhere/x")
