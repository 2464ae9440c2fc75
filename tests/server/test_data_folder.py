"""The data folder: no command creates one by mistake, and its files are private to the owner."""

from __future__ import annotations

import json
import os
import resource
import signal
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from parlour.cli import main
from parlour.cli.local_store import LocalStore
from parlour.config import Settings
from tests.support.client import Api
from tests.support.postgres_server import USER, shared
from tests.support.server import ENGINE_VARIABLE, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

SID = "AC" + "0" * 32
KEY_SID = "SK" + "0" * 32

_INHERITED = [name for name in os.environ if name.startswith("PARLOUR_")]

# Every command, with complete arguments. The second item is the expected result without a store.
COMMANDS: dict[tuple[str, ...], str] = {
    ("account", "create"): "refuses",
    ("account", "list"): "refuses",
    ("account", "status", SID, "active"): "refuses",
    ("account", "numbers", "set", SID): "refuses",
    ("account", "numbers", "list", SID): "refuses",
    ("key", "create", SID): "refuses",
    ("key", "list", SID): "refuses",
    ("key", "revoke", SID, KEY_SID): "refuses",
    ("operator", "create", "night-shift"): "refuses",
    ("operator", "list"): "refuses",
    ("operator", "revoke", "night-shift"): "refuses",
    ("console", "--url", "http://127.0.0.1:9"): "refuses",
    ("token", "--account", SID, "--identity", "alice"): "refuses",
    ("webhooks", "list", SID): "refuses",
    ("webhooks", "replay", SID, "--since", "2026-01-01T00:00:00Z"): "refuses",
    ("webhooks", "retries", SID, "durable"): "refuses",
    ("backup", "b"): "refuses",
    ("doctor",): "names it",
    ("migrate-store", "--from", "sqlite:.parlour", "--to", "postgresql://127.0.0.1:1/x"): "refuses",
    ("restore", "."): "needs a backup",
    ("serve",): "makes one",
    ("phone", "list"): "asks a server",
    ("phone", "send", "+15550100", "+15550101", "--body", "x"): "asks a server",
    ("phone", "inbox", "+15550100"): "asks a server",
    ("phone", "set", "+15550100", "--behaviour", "off"): "asks a server",
    ("templates", "list"): "asks a server",
    ("templates", "approve", "HX" + "0" * 32): "asks a server",
    ("templates", "reject", "HX" + "0" * 32): "asks a server",
    ("clock", "now"): "asks a server",
    ("clock", "freeze"): "asks a server",
    ("clock", "advance", "PT1M"): "asks a server",
    ("clock", "system"): "asks a server",
    ("fault", "add", "request", "--set", "Status=503"): "asks a server",
    ("fault", "list"): "asks a server",
    ("fault", "clear"): "asks a server",
    ("trigger", "onMessageAdded"): "asks a server",
    ("events",): "asks a server",
    ("requests",): "asks a server",
    ("seed", "load", __file__): "asks a server",
    ("seed", "export"): "asks a server",
    ("seed", "check", __file__): "needs a seed",
    ("reset",): "asks a server",
    ("snapshot", "save", "before"): "asks a server",
    ("snapshot", "restore", "before"): "asks a server",
    ("snapshot", "list"): "asks a server",
    ("snapshot", "delete", "before"): "asks a server",
    ("listen", "--forward-to", "http://127.0.0.1:9"): "asks a server",
    ("testkit", "node", "kit"): "needs none",
    ("exec", "--", "no-such-command"): "needs a command",
    ("carriers", "list"): "needs none",
    ("carriers", "test", "main", "--to", "+15550100"): "asks a server",
    ("carriers", "inbound", "list", SID): "refuses",
    ("carriers", "inbound", "replay", SID, "--all"): "refuses",
    ("certificates", "--out", "certificates"): "needs none",
    ("routes",): "needs none",
    ("openapi",): "needs none",
    ("docs", "reference"): "needs none",
}


def _names(command: click.Command, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Return every command with an action, by its words."""
    if not isinstance(command, click.Group):
        yield before
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from _names(found, (*before, name))


def _run(*arguments: str, **settings: str) -> Result:
    """Run a command in this process: a separate one takes most of a second to start."""
    return CliRunner(env=dict.fromkeys(_INHERITED) | settings).invoke(main.main, arguments)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use an empty working directory."""
    monkeypatch.chdir(tmp_path)


def test_the_table_has_every_command() -> None:
    listed = {
        name for name in _names(main.main) for given in COMMANDS if given[: len(name)] == name
    }
    assert listed == set(_names(main.main))
    assert len(COMMANDS) == len(listed)


@pytest.mark.parametrize(
    "arguments", [each for each, does in COMMANDS.items() if does in {"refuses", "needs a backup"}]
)
def test_a_command_in_the_wrong_folder_names_it_and_makes_nothing(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = _run(*arguments)
    assert done.exit_code != 0, done.stdout
    assert str(tmp_path) in done.stderr or arguments[0] == "restore"
    assert isinstance(done.exception, SystemExit), done.exception
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [each for each, does in COMMANDS.items() if does == "asks a server"]
)
def test_a_command_that_asks_a_server_makes_no_folder(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = _run(*arguments)
    assert done.exit_code != 0, done.stdout
    assert done.stderr
    assert isinstance(done.exception, SystemExit), done.exception
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_names_a_folder_without_a_store_and_makes_nothing(tmp_path: Path) -> None:
    done = _run("doctor")
    assert f"There is no store in {tmp_path / '.parlour'}" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_account_is_made_before_the_first_start_in_a_folder_that_is_named(
    tmp_path: Path,
) -> None:
    first = _run("account", "create", "--json", "--data", "one")
    assert json.loads(first.stdout)["account_sid"].startswith("AC")
    second = _run("account", "create", "--json", PARLOUR_DATA="two")
    assert json.loads(second.stdout)["account_sid"].startswith("AC")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["one", "two"]
    listed = _run("account", "list", "--json", "--data", "one")
    assert json.loads(listed.stdout)["account_sid"] == json.loads(first.stdout)["account_sid"]


def test_a_database_without_its_key_gets_no_new_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert _run("account", "create", "--data", "data").exit_code == 0
    (data / "parlour.key").unlink()
    for arguments in (("account", "create"), ("account", "list"), ("backup", "b")):
        done = _run(*arguments, "--data", "data")
        assert done.exit_code != 0
        named = f"parlour.key in {data}" if "b" in arguments else f"key file {data / 'parlour.key'}"
        assert f"there is no {named}" in done.stderr
    assert not (data / "parlour.key").exists()


def test_a_backup_of_a_folder_without_a_store_is_an_error(tmp_path: Path) -> None:
    assert f"there is no store in {tmp_path / '.parlour'}" in _run("backup", "b").stderr


@pytest.mark.parametrize("content", [b"", b"x" * 4096], ids=["empty", "damaged"])
def test_a_database_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    assert _run("account", "create", "--data", "data").exit_code == 0
    for each in (tmp_path / "data").glob("parlour.sqlite3*"):
        each.unlink()
    (tmp_path / "data" / "parlour.sqlite3").write_bytes(content)
    for arguments in (
        ("backup", "b", "--data", "data"),
        ("migrate-store", "--from", "sqlite:data", "--to", shared().make_database()),
    ):
        done = _run(*arguments)
        assert done.exit_code == 1
        assert isinstance(done.exception, SystemExit), done.exception
        assert "parlour.sqlite3" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "b").exists()


def test_a_backup_to_a_disk_that_is_full_ends_with_a_sentence(tmp_path: Path) -> None:
    assert _run("account", "create", "--data", "data").exit_code == 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        done = _run("backup", "b", "--data", "data")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), done.exception
    assert "is the disk full?" in done.stderr
    assert not (tmp_path / "b").exists()


def test_a_compressed_backup_is_rejected_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"")
    done = _run("restore", "a.tar.gz")
    assert done.exit_code == 1
    assert "a.tar.gz is not a backup: it is neither a folder nor a file" in done.stderr
    assert "decompress it first" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize("arguments", [each for each in COMMANDS if SID in each])
def test_a_command_for_a_missing_account_fails(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    _run("account", "create", "--data", str(tmp_path))
    done = _run(*arguments, "--data", str(tmp_path))
    assert done.exit_code == 1, done.stdout
    assert done.stderr == f"Error: there is no account {SID}\n"
    assert done.stdout == ""


def test_a_token_of_another_service_or_key_is_refused_by_its_option(tmp_path: Path) -> None:
    made = _run("account", "create", "--json", "--data", str(tmp_path))
    sid = json.loads(made.stdout)["account_sid"]
    for option, value in (("--service", "IS" + "0" * 32), ("--key", KEY_SID)):
        token = ("token", "--account", sid, "--identity", "alice", option, value)
        done = _run(*token, "--data", str(tmp_path))
        assert done.exit_code == 1
        assert done.stderr.startswith(f"Error: {option} {value}: ")


@pytest.mark.parametrize("command", [("docs",), ("certificates", "--out"), ("backup",)])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    _run("account", "create", "--data", "data")
    (tmp_path / "file").write_text("")
    data = ("--data", "data") if command == ("backup",) else ()
    done = _run(*command, str(tmp_path / "file" / "inner"), *data)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), done.exception
    assert f"Not a directory: '{tmp_path / 'file'}" in done.stderr


def test_a_date_that_is_none_is_refused_with_the_option_and_the_value(tmp_path: Path) -> None:
    _run("account", "create", "--data", str(tmp_path))
    done = _run("webhooks", "list", SID, "--until", "yesterday", "--data", str(tmp_path))
    assert done.exit_code == 2
    assert "--until: yesterday is not a date such as 2026-01-31" in done.stderr


def test_a_database_of_another_role_is_refused_with_a_sentence(tmp_path: Path) -> None:
    url = shared().make_database()
    shared().sql(
        f"ALTER DATABASE {url.rpartition('/')[2]} OWNER TO {USER};"
        f" REVOKE CREATE ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO {USER}",
        url,
    )
    assert _run("account", "create", "--data", "data").exit_code == 0
    for arguments in (
        ("account", "create", "--data", "other", "--database", url),
        ("migrate-store", "--from", "sqlite:data", "--to", url),
    ):
        done = _run(*arguments)
        assert done.exit_code == 1
        assert isinstance(done.exception, SystemExit), done.exception
        assert "permission denied for schema public" in done.stderr
        assert "the role of the URL has to own the database" in done.stderr


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://parlour:pass-word@127.0.0.1:9/chat"
    assert _run("account", "create", "--data", "data").exit_code == 0
    for arguments in (
        ("account", "list", "--database", url),
        ("migrate-store", "--from", "sqlite:data", "--to", url),
    ):
        done = _run(*arguments)
        assert done.exit_code == 1
        assert "no connection to postgresql://parlour@127.0.0.1:9/chat: " in done.stderr
        assert "pass-word" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor", "--data"),
        ("certificates", "--out"),
        ("migrate-store", "--to", "postgresql://x@127.0.0.1:1/x", "--from"),
        ("backup", "b", "--data"),
        ("account", "list", "--data"),
        ("account", "create", "--data"),
    ],
    ids=" ".join,
)
def test_a_folder_that_cannot_be_used_is_named_without_a_traceback(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """An invalid file name represents every failing system call, and also fails for root."""
    name = "a" * 300
    named = f"sqlite:{name}" if arguments[-1] == "--from" else name
    done = _run(*arguments, named)
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert name in done.output
    assert "File name too long" in done.output
    assert list(tmp_path.iterdir()) == []


def test_an_empty_postgresql_database_is_no_store_either(tmp_path: Path) -> None:
    url = shared().make_database()
    done = _run("account", "list", "--database", url)
    assert done.exit_code != 0
    assert "there is no store in the database of --database" in done.stderr
    made = _run("account", "create", "--database", url, "--data", "data")
    assert made.exit_code == 0, made.stderr
    elsewhere = _run("account", "list", "--database", url)
    assert f"there is no key file {tmp_path / '.parlour' / 'parlour.key'}" in elsewhere.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


embedded = pytest.mark.skipif(
    os.environ.get(ENGINE_VARIABLE, "sqlite") != "sqlite", reason="the files of the embedded one"
)

# --- Modes -------------------------------------------------------------------------------------


def _modes(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777
        for path in folder.rglob("*")
    }


def _unsafe(server: Server) -> list[str]:
    done = _run(
        "doctor",
        "--json",
        PARLOUR_DATA=str(server.data_dir),
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [each["what"] for each in found if each["unsafe"]]


@embedded
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_doctor_has_no_findings_for_a_new_data_folder(umask: int) -> None:
    before = os.umask(umask)
    try:
        with Server() as server:
            api = Api(server.base_url, server.account_sid, server.auth_token)
            api.post("/Conversations", UniqueName="kept").expect(201)
            modes, data = _modes(server.data_dir), ("--data", str(server.data_dir))
            assert _run("backup", str(server.data_dir.parent / "b"), *data).exit_code == 0
            assert _run("backup", str(server.data_dir.parent / "b.tar"), *data).exit_code == 0
            backup = _modes(server.data_dir.parent / "b")
            assert (server.data_dir.parent / "b.tar").stat().st_mode & 0o777 == 0o600
            assert (server.data_dir.stat().st_mode & 0o777) == 0o700
            assert _unsafe(server) == []
            assert "data_folder_exposed" not in server.log_tail()
            api.close()
    finally:
        os.umask(before)
    assert {"parlour.sqlite3", "parlour.sqlite3-wal", "parlour.sqlite3-shm"} <= set(modes)
    for found in (modes, backup):
        assert {m for name, m in found.items() if not name.startswith("media")} == {0o600}
        assert {m for name, m in found.items() if name.startswith("media")} <= {0o700, 0o600}


@embedded
def test_open_files_are_restricted_at_the_start_and_an_open_folder_is_warned_of() -> None:
    with Server() as server:
        server.stop()
        database = server.data_dir / "parlour.sqlite3"
        database.chmod(0o644)
        server.data_dir.chmod(0o755)
        (server.data_dir / "media").chmod(0o750)
        server.start()
        modes = _modes(server.data_dir)
        named = {name: mode for name, mode in modes.items() if name.startswith("parlour")}
        assert set(named.values()) == {0o600}, named
        log = server.log_path.read_text()
        for path in (server.data_dir, server.data_dir / "media"):
            assert f"chmod 700 {path}" in log
        assert _unsafe(server) == [
            f"{path} is open to other users."
            for path in (server.data_dir, server.data_dir / "media")
        ]


def test_a_database_made_by_a_command_is_private_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LocalStore(Settings(data=tmp_path / "data"), creates=True).write(_nothing)
    finally:
        os.umask(before)
    assert set(_modes(tmp_path / "data").values()) == {0o600}


async def _nothing(_tx: object) -> None:
    """Change nothing."""
