"""`parlour exec`: a command with a server that ends with it, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parlour.cli.environment import read
from parlour.cli.exec import _environment
from tests.support.polling import eventually
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_MAX = 60
# The command: it writes its server and its process, and waits for a signal.
WAITING = """
import json, os, signal, sys
from pathlib import Path
from urllib.request import urlopen

def show(number, _frame):
    path.with_suffix(".signal").write_text(str(number))
    sys.exit(5)

path = Path(sys.argv[1])
signal.signal(signal.SIGTERM, show)
urlopen(os.environ["PARLOUR_URL"] + "/healthz").read()
unfinished = path.with_suffix(".new")
unfinished.write_text(json.dumps({"pid": os.getpid(), "url": os.environ["PARLOUR_URL"]}))
unfinished.rename(path)
signal.pause()
"""
CREATING = """
import os
from parlour.cli.server_client import ServerClient
client = ServerClient(
    os.environ["PARLOUR_URL"], os.environ["PARLOUR_ACCOUNT_SID"], os.environ["PARLOUR_AUTH_TOKEN"]
)
client.post("/v1/Conversations", [("UniqueName", "of-the-command")])
"""
CALLING = """
import os
from parlour.cli.server_client import ServerClient
client = ServerClient(
    os.environ["PARLOUR_URL"], os.environ["TWILIO_API_KEY"], os.environ["TWILIO_API_SECRET"]
)
server = client.get("/parlour/v1/Server")
assert server["ws_url"] == os.environ["PARLOUR_WS_URL"], server
found = client.get("/v1/Configuration")
assert found["account_sid"] == os.environ["PARLOUR_ACCOUNT_SID"], found
assert found["account_sid"] == os.environ["TWILIO_ACCOUNT_SID"], found
assert found["default_chat_service_sid"] == os.environ["PARLOUR_SERVICE_SID"], found
assert os.environ["TWILIO_AUTH_TOKEN"] == os.environ["PARLOUR_AUTH_TOKEN"]
print(server["test"], "PARLOUR_DATA" in os.environ, os.environ["OTHER"])
raise SystemExit(7)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of temporary files, which must be empty at the end."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    yield temporary
    eventually(lambda: sorted(temporary.iterdir()), lambda left: left == [])


def environment(folder: Path) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PARLOUR_")}
    return inherited | {"PYTHONPATH": str(REPOSITORY / "src"), "TMPDIR": str(folder)}


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "parlour", "exec", *arguments]


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line(*arguments),
        env=environment(folder) | variables,
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def server_of(pid: int) -> int:
    """Return the process of the server that a process of `parlour exec` has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    [server] = [
        int(each)
        for each in children
        if b"\0serve\0--test\0" in Path(f"/proc/{each}/cmdline").read_bytes()
    ]
    return server


def test_the_command_has_the_server_in_its_environment_and_its_status_is_returned(
    folder: Path,
) -> None:
    # Variables that are settings of another server.
    others = {"PARLOUR_DATA": "/nowhere", "PARLOUR_ACCOUNT_SID": "AC" + "f" * 32, "OTHER": "x"}
    done = run(folder, "--", sys.executable, "-c", CALLING, **others)
    assert (done.returncode, done.stdout, done.stderr) == (7, "True False x\n", "")


def test_the_variables_of_the_command_are_known_to_other_commands() -> None:
    names = ("url", "ws_url", "account_sid", "auth_token")
    names += ("api_key_sid", "api_key_secret", "service_sid")
    variables = _environment(dict.fromkeys(names, "x"))
    found = read({name: text for name, text in variables.items() if text == "x"})
    assert (found.unknown, found.mistyped) == ([], [])


def test_a_signal_of_the_terminal_is_known() -> None:
    """Ctrl-C reaches the command as well, which must not get it twice."""
    outer, inner = os.openpty()

    def attach() -> None:
        fcntl.ioctl(inner, termios.TIOCSCTTY, 0)

    words = [sys.executable, "-c", "from parlour.cli import exec; print(exec._is_in_foreground())"]
    with os.fdopen(outer), os.fdopen(inner):
        shown = [
            subprocess.run(
                words,
                preexec_fn=prepare,
                start_new_session=True,
                stdout=subprocess.PIPE,
                env={"PYTHONPATH": str(REPOSITORY / "src")},
                timeout=SECONDS_MAX,
                check=True,
            ).stdout
            for prepare in (attach, None)
        ]
    assert shown == [b"True\n", b"False\n"]


def test_a_command_that_does_not_exist_is_named(folder: Path) -> None:
    done = run(folder, "--", "no-such-command")
    assert done.returncode == 127
    assert done.stderr == "Error: command not found: no-such-command\n"


def test_a_server_that_does_not_start_is_shown_and_nothing_is_run(folder: Path) -> None:
    done = run(folder, "--random-seed", "1", "--", "echo", "ran", PARLOUR_STRICT="perhaps")
    assert done.returncode == 2
    done = run(folder, "--", "echo", "ran", PARLOUR_WEBHOOK_RETRIES="sometimes")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "the server did not start:" in done.stderr
    assert "PARLOUR_WEBHOOK_RETRIES=sometimes" in done.stderr


@pytest.mark.gate
def test_the_output_of_the_server_is_written_to_a_file_and_a_signal_is_a_status(
    folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    done = run(folder, "--server-log", str(log), "--", "sh", "-c", "kill -9 $$")
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGKILL, "", "")
    assert "Test mode: data can be wiped" in log.read_text()
    done = run(folder, "--server-log", str(tmp_path / "none" / "server.log"), "--", "true")
    assert done.returncode == 1
    assert "cannot be written: No such file or directory" in done.stderr


def test_a_seed_is_loaded_and_the_account_exported_after_the_command(
    folder: Path, tmp_path: Path
) -> None:
    seed, export = tmp_path / "shop.yaml", tmp_path / "end.json"
    seed.write_text("parlour: 1\nconversations: [{key: a, unique_name: from-a-seed}]\n")
    done = run(
        folder,
        *("--seed", str(seed), "--export-on-exit", str(export), "--random-seed", "7"),
        *("--", sys.executable, "-c", CREATING),
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(export.read_text())["conversations"]
    assert sorted(each["unique_name"] for each in found) == ["from-a-seed", "of-the-command"]


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, marks=pytest.mark.gate), signal.SIGKILL]
)
def test_a_signal_ends_the_command_and_the_server(
    folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "started.json"
    words = command_line("--", sys.executable, "-c", WAITING, str(path))
    with subprocess.Popen(words, env=environment(folder), cwd=tmp_path) as process:
        try:
            eventually(path.exists, bool)
            pid, server = json.loads(path.read_text())["pid"], server_of(process.pid)
            assert is_running(pid)
            process.send_signal(number)
            code = process.wait(SECONDS_MAX)
        finally:
            process.kill()
    assert code == (5 if number is signal.SIGTERM else -signal.SIGKILL)
    eventually(lambda: is_running(pid) or is_running(server), lambda running: not running)
    received = path.with_suffix(".signal").read_text()
    assert received == str(int(signal.SIGTERM))
