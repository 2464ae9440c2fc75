"""A store and its key file belong together: with another key, or none, nothing changes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from parlour.app import open_app
from parlour.cli.main import main
from parlour.config import Settings
from parlour.store.key_file import KEY_NAME, KeyFileError, load_vault
from parlour.store.master_key import MissingKeyError, WrongKeyError
from parlour.vocabulary.clock import SystemRandom
from tests.support.client import Api
from tests.support.postgres_server import shared
from tests.support.server import Server, ServerError

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

ACCOUNT, TOKEN = "AC" + "0" * 31 + "7", "0123456789abcdef" * 2
FETCH = "SELECT fingerprint FROM master_key"
FORGET = "DELETE FROM master_key"
# Every command that opens the store, with complete arguments.
COMMANDS = [
    ("account", "list"),
    ("account", "create"),
    ("key", "create", ACCOUNT),
    ("token", "--account", ACCOUNT, "--identity", "alice"),
    ("webhooks", "list", ACCOUNT),
]


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A store with one account on each engine, and its key."""
    database = shared().make_database() if request.param == "postgres" else ""
    made = Settings(
        data=tmp_path / "data", database=database, account_sid=ACCOUNT, auth_token=TOKEN
    )
    _start(made)
    return made


def _start(settings: Settings) -> str:
    """Start a server in this process and stop it; return the fingerprint of its key."""

    async def run() -> str:
        app = await open_app(settings)
        await app.start()
        await app.stop()
        return app.vault.fingerprint

    return asyncio.run(run())


def _execute(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    """Change or read the store behind the server's back, with the right key in place."""

    async def run() -> list[tuple[object, ...]]:
        app = await open_app(settings)
        try:
            if sql.startswith("SELECT"):
                return await app.store.read(lambda tx: tx.all(sql))
            await app.store.write(lambda tx: tx.run(sql))
            return []
        finally:
            await app.store.close()

    return asyncio.run(run())


def _another_key(settings: Settings, tmp_path: Path) -> tuple[Path, str]:
    """Replace the key file; return the original key, and the fingerprint of the new one."""
    right = tmp_path / "right.key"
    shutil.move(settings.data / KEY_NAME, right)
    return right, load_vault(settings.data, SystemRandom()).fingerprint


def _command(settings: Settings, *arguments: str) -> Result:
    where = ["--data", str(settings.data), "--database", settings.database]
    return CliRunner().invoke(main, [*arguments, *where])


def test_a_first_start_records_the_fingerprint_and_later_ones_keep_it(settings: Settings) -> None:
    fingerprint = _start(settings)
    assert _execute(settings, FETCH) == [(fingerprint,)]
    assert _start(settings) == fingerprint


def test_another_key_is_refused_naming_both_fingerprints_and_the_file(
    settings: Settings, tmp_path: Path
) -> None:
    fingerprint = _start(settings)
    right, other = _another_key(settings, tmp_path)
    with pytest.raises(WrongKeyError) as refusal:
        _start(settings)
    for part in (fingerprint, other, str(settings.data / KEY_NAME)):
        assert part in str(refusal.value)
    shutil.move(right, settings.data / KEY_NAME)
    # Neither the account's secret nor the fingerprint has changed.
    assert _execute(settings, FETCH) == [(fingerprint,)]


def test_a_missing_key_is_refused_and_none_is_made(settings: Settings) -> None:
    fingerprint = _start(settings)
    (settings.data / KEY_NAME).unlink()
    with pytest.raises(MissingKeyError) as refusal:
        _start(settings)
    assert fingerprint in str(refusal.value)
    assert str(settings.data / KEY_NAME) in str(refusal.value)
    assert not (settings.data / KEY_NAME).exists()


def test_every_offline_command_refuses_another_key_and_changes_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    before = _execute(settings, "SELECT * FROM login")
    right, other = _another_key(settings, tmp_path)
    for command in COMMANDS:
        done = _command(settings, *command)
        assert done.exit_code == 1, command
        assert isinstance(done.exception, SystemExit), (command, done.exception)
        assert other in done.stderr, command
        assert done.stdout == "", command
    shutil.move(right, settings.data / KEY_NAME)
    assert _execute(settings, "SELECT * FROM login") == before


def test_a_store_of_an_earlier_version_takes_the_key_that_opens_its_secrets(
    settings: Settings, tmp_path: Path
) -> None:
    fingerprint = _start(settings)
    _execute(settings, FORGET)
    right, other = _another_key(settings, tmp_path)
    with pytest.raises(WrongKeyError, match=rf"{other}, which opens 0 of 1 secrets"):
        _start(settings)
    (settings.data / KEY_NAME).unlink()
    with pytest.raises(MissingKeyError, match="has secrets of a key"):
        _start(settings)
    shutil.move(right, settings.data / KEY_NAME)
    assert _start(settings) == fingerprint
    assert _execute(settings, FETCH) == [(fingerprint,)]


def test_of_two_secrets_made_with_another_key_the_older_versions_most_count(
    settings: Settings,
) -> None:
    """A regression: a server with another key could replace an account's secret."""
    assert _command(settings, "key", "create", ACCOUNT).exit_code == 0
    assert _command(settings, "key", "create", ACCOUNT).exit_code == 0
    _execute(
        settings,
        f"UPDATE login SET secret_sealed = 'AAAA' || secret_sealed WHERE name = '{ACCOUNT}'",
    )
    _execute(settings, FORGET)
    fingerprint = _start(settings)
    assert _execute(settings, FETCH) == [(fingerprint,)]


def test_of_two_first_starts_on_one_database_with_two_keys_one_is_refused(tmp_path: Path) -> None:
    database = shared().make_database()
    nodes = [Settings(data=tmp_path / name, database=database) for name in ("one", "other")]
    for node in nodes:
        node.data.mkdir()
        load_vault(node.data, SystemRandom())

    async def run() -> list[object]:
        opened = await asyncio.gather(*map(open_app, nodes), return_exceptions=True)
        for each in opened:
            if not isinstance(each, BaseException):
                await each.store.close()
        return list(opened)

    opened = asyncio.run(run())
    assert sorted(isinstance(each, WrongKeyError) for each in opened) == [False, True], opened


def test_the_doctor_names_another_key_and_a_missing_one(settings: Settings, tmp_path: Path) -> None:
    assert "parlour.key" not in _command(settings, "doctor").stdout
    fingerprint = _start(settings)
    files = sorted(each.name for each in settings.data.iterdir())
    _right, other = _another_key(settings, tmp_path)
    done = _command(settings, "doctor")
    assert done.exit_code == 1
    assert f"parlour.key is the key {other}, but" in done.stdout
    assert f"belongs to the key {fingerprint}" in done.stdout
    assert sorted(each.name for each in settings.data.iterdir()) == files
    (settings.data / KEY_NAME).unlink()
    done = _command(settings, "doctor")
    assert done.exit_code == 1
    assert f"There is no key file {settings.data / KEY_NAME}" in done.stdout
    assert f"has secrets of the key {fingerprint}" in done.stdout


def test_the_doctor_names_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "parlour.sqlite3").write_bytes(b"no database" * 1_000)
    done = _command(Settings(data=tmp_path), "doctor")
    assert done.exit_code == 1
    assert "The database cannot be read" in done.stdout
    assert "There is no store" not in done.stdout
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_that_is_a_fifo_is_refused_and_not_waited_for(settings: Settings) -> None:
    (settings.data / KEY_NAME).unlink()
    os.mkfifo(settings.data / KEY_NAME, 0o600)
    for command in (("doctor",), ("account", "list")):
        done = _command(settings, *command)
        assert done.exit_code == 1
        assert f"{settings.data / KEY_NAME} is not a file" in done.output


@pytest.mark.parametrize("content", ["", "no key", "ff" * 31, "ä" * 64])
def test_a_file_that_is_no_key_is_refused_with_a_sentence(settings: Settings, content: str) -> None:
    (settings.data / KEY_NAME).write_bytes(content.encode())
    with pytest.raises(KeyFileError, match="is not a key of 32 bytes"):
        _start(settings)


def test_a_second_node_with_another_key_exits_and_the_first_continues(tmp_path: Path) -> None:
    env = {"PARLOUR_DATABASE": shared().make_database()}
    with Server(tmp_path / "first", env) as first:
        api = Api(first.base_url, first.account_sid, first.auth_token)
        sid = api.post("/Conversations").expect(201)["sid"]
        second = Server(tmp_path / "second", env)
        second.account_sid, second.auth_token = first.account_sid, first.auth_token
        with pytest.raises(ServerError, match="there is no key file"):
            second.start()
        load_vault(second.data_dir, SystemRandom())
        with pytest.raises(ServerError, match="belongs to the key") as refusal:
            second.start()
        assert "Traceback" not in str(refusal.value)
        assert len(set(re.findall(r"the key ([0-9a-f]{32})", str(refusal.value)))) == 2
        api.get(f"/Conversations/{sid}").expect(200)
        shutil.copy(first.data_dir / KEY_NAME, second.data_dir / KEY_NAME)
        with second:
            Api(second.base_url, first.account_sid, first.auth_token).get(
                f"/Conversations/{sid}"
            ).expect(200)
        api.close()


def test_workers_with_another_key_end_with_the_sentence_and_no_traceback(tmp_path: Path) -> None:
    env = {"PARLOUR_DATABASE": shared().make_database()}
    with Server(tmp_path / "first", env):
        pass
    second = Server(tmp_path / "second", env, ["--workers", "2"])
    second.data_dir.mkdir(mode=0o700)
    load_vault(second.data_dir, SystemRandom())
    with pytest.raises(ServerError, match="belongs to the key") as refusal:
        second.start()
    assert "Traceback" not in str(refusal.value)


# --- Backups and moves -------------------------------------------------------------------------


def test_a_backup_with_another_key_in_the_folder_is_refused(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", account_sid=ACCOUNT, auth_token=TOKEN)
    fingerprint = _start(settings)
    right, other = _another_key(settings, tmp_path)
    arguments = ["backup", str(tmp_path / "b"), "--data", str(settings.data)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert fingerprint in done.stderr
    assert other in done.stderr
    assert not (tmp_path / "b").exists()
    shutil.move(right, settings.data / KEY_NAME)
    assert CliRunner().invoke(main, arguments).exit_code == 0


def test_a_restored_store_accepts_its_key(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", account_sid=ACCOUNT, auth_token=TOKEN)
    fingerprint = _start(settings)
    backup = str(tmp_path / "b")
    arguments = ["backup", backup, "--with-key", "--data", str(settings.data)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    done = CliRunner().invoke(main, ["restore", backup, "--data", str(tmp_path / "new")])
    assert done.exit_code == 0, done.stderr
    restored = Settings(data=tmp_path / "new")
    assert _execute(restored, FETCH) == [(fingerprint,)]
    _another_key(restored, tmp_path)
    with pytest.raises(WrongKeyError, match=fingerprint):
        _start(restored)


def test_a_moved_store_accepts_no_other_key(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", account_sid=ACCOUNT, auth_token=TOKEN)
    fingerprint, target = _start(settings), shared().make_database()
    arguments = ["--from", f"sqlite:{settings.data}", "--to", target, "--json"]
    done = CliRunner().invoke(main, ["migrate-store", *arguments])
    assert done.exit_code == 0, done.stderr
    tables = {row["table"]: row["rows"] for row in map(json.loads, done.stdout.splitlines())}
    assert tables["master_key"] == 1
    with pytest.raises(MissingKeyError, match=fingerprint):
        _start(Settings(data=tmp_path / "elsewhere", database=target))
    assert _start(Settings(data=settings.data, database=target)) == fingerprint
