"""A start takes its port and its folder first, prints its address, and leaves nothing half made."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from parlour.cli.main import main
from parlour.cli.startup_message import startup_lines
from parlour.config import Settings
from parlour.http.binding import BindError, bind, listen, reserve_port
from parlour.store.folder_lock import FolderInUseError, lock_folder
from tests.support.client import Api
from tests.support.postgres_server import shared
from tests.support.preloaded_servers import template
from tests.support.server import REPOSITORY, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

NO_ACCOUNT = {"PARLOUR_ACCOUNT_SID": "", "PARLOUR_AUTH_TOKEN": ""}
EMBEDDED = {"PARLOUR_DATABASE": ""}
TWO = ("--workers", "2")
SECONDS_MAX = 60


def _fails(
    *arguments: str, prepare: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `parlour serve` that cannot start; what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PARLOUR_")}
    environment |= {"PYTHONPATH": str(REPOSITORY / "src")}
    if prepare is None:
        done = template().run(["serve", *arguments], environment, Path("/"), SECONDS_MAX)
    else:
        done = subprocess.run(
            [sys.executable, "-m", "parlour", "serve", *arguments],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
            preexec_fn=prepare,
        )
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout == ""
    return done


def _command(*arguments: str) -> Result:
    return CliRunner(env=EMBEDDED).invoke(main, arguments)


# --- The port ------------------------------------------------------------------------------------


def test_a_first_start_on_a_port_in_use_makes_no_account_and_the_next_one_shows_it(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _fails("--port", str(port), "--data", str(data))
        assert done.stderr == f"Error: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert not (data / "parlour.sqlite3").exists()
    with Server(data, NO_ACCOUNT | EMBEDDED) as server:
        assert server.log_path.read_text().count("AUTH_TOKEN=") == 1


def test_an_address_of_another_machine_is_refused_with_a_sentence(tmp_path: Path) -> None:
    done = _fails("--host", "192.0.2.1", "--port", "0", "--data", str(tmp_path / "data"))
    assert done.stderr.startswith("Error: cannot listen on 192.0.2.1:0: ")
    assert not (tmp_path / "data" / "parlour.sqlite3").exists()


def test_of_two_that_have_bound_one_port_the_second_to_listen_fails() -> None:
    with contextlib.ExitStack() as stack:
        (one,) = map(stack.enter_context, bind("127.0.0.1", 0))
        (other,) = map(stack.enter_context, bind("127.0.0.1", one.getsockname()[1]))
        listen([one])
        with pytest.raises(BindError, match="already in use"):
            listen([other])


def test_workers_do_not_share_a_port_on_which_other_workers_listen() -> None:
    with contextlib.ExitStack() as stack:
        (one,) = map(stack.enter_context, bind("127.0.0.1", 0, shares=True))
        port = one.getsockname()[1]
        for each in reserve_port("127.0.0.1", port):
            each.close()
        listen([one])
        with pytest.raises(BindError, match="already in use"):
            reserve_port("127.0.0.1", port)


def test_a_name_with_several_addresses_is_bound_on_one_port() -> None:
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(each) for each in bind("localhost", 0)]
        assert len({each.getsockname()[1] for each in bound}) == 1


# --- Output --------------------------------------------------------------------------------------


def test_every_start_names_folder_database_and_account_and_ways_to_new_credentials(
    tmp_path: Path,
) -> None:
    data = tmp_path / "a folder"
    with Server(data, NO_ACCOUNT | EMBEDDED) as server:
        first = server.ready()
        sid = first["account_sid"]
        assert server.stop() == 0
        assert not server.ready_path.exists()
        server.log_path.write_text("")
        server._env |= {"PARLOUR_ACCOUNT_SID": sid, "PARLOUR_AUTH_TOKEN": "a-new-token"}
        server.start()
        log = server.log_path.read_text()
        assert f"Data folder: {data}\n" in log
        assert f"Database: {data / 'parlour.sqlite3'}\n" in log
        assert f"Account: {sid}\n" in log
        assert f"PARLOUR_ACCOUNT_SID={sid}" in log
        assert first["auth_token"] not in log
        assert "a-new-token" not in log
        # Both URLs are printed.
        Api(server.base_url, sid, "a-new-token").get("/Conversations").expect(200)
        (line,) = [each for each in log.splitlines() if "key create" in each]
        made = json.loads(_command(*shlex.split(line.partition("parlour ")[2]), "--json").stdout)
        by_key = Api(server.base_url, sid, "").signed(made["sid"], made["secret"])
        by_key.get("/Conversations").expect(200)


def test_no_line_shows_the_password_of_the_database() -> None:
    url = "postgresql://parlour:pass-word@db1:5432,db2:5432/parlour?password=pass-word"
    settings = Settings(data=Path("/data"), database=url, public_url="https://chat.example.net")
    lines = list(startup_lines(settings, "http://127.0.0.1:8080", None, ["AC1", "AC2"]))
    assert lines[0] == "Parlour answers at https://chat.example.net"
    assert lines[1] == "Listening on http://127.0.0.1:8080"
    assert "Database: postgresql://parlour@db1:5432,db2:5432/parlour" in lines
    assert (
        "Account: AC1 (others: parlour account list --data /data with the same PARLOUR_DATABASE)"
        in lines
    )
    assert "with the same PARLOUR_DATABASE" in "\n".join(lines)
    assert "pass-word" not in "\n".join(lines)


# --- The folder ----------------------------------------------------------------------------------


def test_a_second_server_on_the_folder_is_refused_until_the_first_has_died(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data, EMBEDDED) as first:
        ready = first.ready_path.read_bytes()
        second = Server(data, EMBEDDED)
        second.ready_path = first.ready_path
        done = _fails("--port", "0", "--data", str(data), "--ready-file", str(first.ready_path))
        assert done.stderr.startswith(f"Error: {data} is in use: stop the server first")
        # It is still the file of the running server.
        assert first.ready_path.read_bytes() == ready
        Api(first.base_url, first.account_sid, first.auth_token).get("/Conversations").expect(200)
        first.kill()
        second.account_sid, second.auth_token = first.account_sid, first.auth_token
        with second:
            assert second.is_healthy()


def test_commands_work_while_a_server_runs(tmp_path: Path) -> None:
    with Server(tmp_path / "data", EMBEDDED) as server:
        data = ("--data", str(server.data_dir))
        made = json.loads(_command("account", "create", "--json", *data).stdout)
        sid = made["account_sid"]
        Api(server.base_url, sid, made["auth_token"]).get("/Conversations").expect(200)
        for arguments in (
            ("account", "list"),
            ("account", "status", sid, "active"),
            ("key", "create", sid),
            ("token", "--account", sid, "--identity", "alice"),
            ("webhooks", "list", sid),
            ("backup", str(tmp_path / "backup")),
        ):
            done = _command(*arguments, *data)
            assert done.exit_code == 0, (arguments, done.output)


def test_restore_and_migrate_store_respect_the_lock(tmp_path: Path) -> None:
    data, empty = tmp_path / "data", tmp_path / "empty"
    assert _command("account", "create", "--data", str(data)).exit_code == 0
    backup = str(tmp_path / "backup")
    assert _command("backup", backup, "--with-key", "--data", str(data)).exit_code == 0
    target = shared().make_database()
    move = ("migrate-store", "--from", f"sqlite:{data}", "--to", target)
    empty.mkdir(mode=0o700)
    for folder, command in ((empty, ("restore", backup, "--data", str(empty))), (data, move)):
        with lock_folder(folder):
            done = _command(*command)
        assert done.exit_code == 1, done.output
        assert f"{folder} is in use" in done.stderr
    assert list(empty.iterdir()) == []
    assert _command("restore", backup, "--data", str(empty)).exit_code == 0
    assert _command(*move).exit_code == 0


def test_a_server_is_refused_while_its_folder_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parlour.store.maintenance import restore  # noqa: PLC0415 - patched here only.

    data, new = tmp_path / "data", tmp_path / "new"
    assert _command("account", "create", "--data", str(data)).exit_code == 0
    backup = str(tmp_path / "backup")
    assert _command("backup", backup, "--with-key", "--data", str(data)).exit_code == 0
    seen: list[str] = []
    copied = restore.check_database

    def lock_during_check(path: Path) -> Any:
        with pytest.raises(FolderInUseError) as refusal, lock_folder(new):
            pass
        seen.append(str(refusal.value))
        return copied(path)

    monkeypatch.setattr(restore, "check_database", lock_during_check)
    assert _command("restore", backup, "--data", str(new)).exit_code == 0
    assert len(seen) == 1
    with lock_folder(new):
        assert (new / "parlour.sqlite3").exists()


def test_two_nodes_on_postgresql_share_a_folder(tmp_path: Path) -> None:
    env = {"PARLOUR_DATABASE": shared().make_database()}
    with Server(tmp_path / "data", env) as one, Server(tmp_path / "data", env, TWO) as other:
        assert one.is_healthy()
        assert other.is_healthy()
        assert other.stop() == 0
        assert not other.ready_path.exists()


def test_a_folder_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    reasons = {
        tmp_path / "file": f"{tmp_path / 'file'} is a file",
        tmp_path / "file" / "data": "Not a directory",
    }
    for data, reason in reasons.items():
        done = _fails("--port", "0", "--data", str(data))
        assert done.stderr == f"Error: the data folder {data} cannot be used: {reason}\n"


def _without_power_over_modes() -> None:
    """Apply file modes to root too (prctl: drop CAP_DAC_OVERRIDE)."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


@pytest.mark.parametrize("is_there", [False, True], ids=["no folder", "an empty folder"])
def test_a_folder_that_cannot_be_written_is_refused_with_a_sentence(
    tmp_path: Path, *, is_there: bool
) -> None:
    place = tmp_path / "place"
    data = place / "data"
    place.mkdir()
    if is_there:
        data.mkdir(mode=0o500)
    place.chmod(0o500)
    done = _fails("--port", "0", "--data", str(data), prepare=_without_power_over_modes)
    place.chmod(0o700)
    assert str(data) in done.stderr
    assert "Permission denied" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("most", [0, 20_000, 200_000])
def test_a_disk_that_is_full_ends_the_start_with_a_sentence(tmp_path: Path, most: int) -> None:
    """Limit the size of files, so that the first or a later write of the start fails."""

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    data = tmp_path / "data"
    done = _fails("--port", "0", "--data", str(data), prepare=fill)
    assert str(data) in done.stderr
    assert done.stderr.count("\n") == 1


# --- The ready file ------------------------------------------------------------------------------


def test_the_ready_file_of_another_server_is_not_removed(tmp_path: Path) -> None:
    with Server(tmp_path / "data", EMBEDDED) as server:
        content = json.dumps(server.ready() | {"pid": server.pid + 1})
        server.ready_path.write_text(content)
        assert server.stop() == 0
        assert server.ready_path.read_text() == content


def test_the_ready_file_stays_after_a_crash(tmp_path: Path) -> None:
    with Server(tmp_path / "data", EMBEDDED) as server:
        server.kill()
        assert server.ready_path.exists()


def test_a_restart_does_not_load_cryptography(tmp_path: Path) -> None:
    """Importing the ciphers' library is slow, so it is loaded on first use."""
    with Server(tmp_path / "data", EMBEDDED) as server:
        server.restart()  # The first start encrypts the secret of its account.
        assert "cryptography" not in Path(f"/proc/{server.pid}/maps").read_text()
