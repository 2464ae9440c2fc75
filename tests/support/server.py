"""A real Parlour server in a separate process, for tests that go over the network."""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support.offline_writes import OfflineWrites
from tests.support.ports import ReservedPort
from tests.support.preloaded_servers import CRASH_VARIABLE, template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
UNCHECKED = str(REPOSITORY / "tests" / "server" / "launch_without_setting_checks.py")
"""A program that accepts values of settings which the server rejects."""
PROGRAM = ("-m", "parlour")
# No claims about the server: on a machine with other load a start takes several times as long.
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
COMMAND_SECONDS_MAX = 120.0
LOG_TAIL_BYTES = 4_000


class ServerError(Exception):
    """The server did not start, did not stop, or a command on its data failed."""


def _guard(group: int) -> subprocess.Popen[bytes]:
    """Start a process that kills the group when this process has ended for any reason.

    It waits for the end of its input, which comes when no process holds the other end any more: a
    killed test process runs no exit handlers, and would leave servers behind.
    """
    script = 'read _; kill -s KILL -- "-$1"'
    return subprocess.Popen(
        ["sh", "-c", script, "guard", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process has ended; it is not reaped, so its pid is not reused."""
    if process.returncode is not None:
        return True
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ended is not None


ENGINE_VARIABLE = "PARLOUR_TEST_ENGINE"
"""The engine of the tests' servers: postgres, or sqlite by default."""


@cache
def database_of(data_dir: Path) -> str:
    """Return the URL of a database on the engine of this run; empty for the embedded one.

    Servers on the same folder share a database, one after the other.
    """
    if os.environ.get(ENGINE_VARIABLE, "sqlite") == "sqlite":
        return ""
    from tests.support.postgres_server import shared  # noqa: PLC0415 - it needs this module.

    return shared().make_migrated_database()


class Server:
    """One server process on one data directory; `restart` keeps its port and its data.

    Without `data_dir` it lives in a temporary directory that `close` removes.
    """

    is_forked = True
    """Whether a plain server is forked with its imports; not where its memory is measured."""

    is_durable = False
    """Whether commits of a forked server wait for the disk, as is needed only for power cuts.

    The operating system keeps what a killed process has written; but kills between a commit and its
    sync, which the tests of crashes are about, take a real one.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """Prepare a server; `start` runs it. `program` is the server's Python program."""
        self._own_directory = None if data_dir else Path(tempfile.mkdtemp(prefix="parlour-"))
        self.data_dir = Path(data_dir) if data_dir else self._made_directory() / "data"
        self.log_path = self.data_dir.parent / f"{self.data_dir.name}.server.log"
        self.ready_path = self.data_dir.parent / f"{self.data_dir.name}.ready.json"
        self.account_sid = f"AC{secrets.token_hex(16)}"
        self.auth_token = secrets.token_hex(16)
        # Reserved instead of `--port 0`: the port is known before a start, and must still be free
        # after a crash, however many connections other tests open in the meantime.
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        self.process: subprocess.Popen[bytes] | None = None
        self.waits_for_disk = True
        self._guard: subprocess.Popen[bytes] | None = None
        self._env = dict(env or {})
        self.database = self._env.get("PARLOUR_DATABASE", "") or database_of(self.data_dir)
        self._args = tuple(args)
        self._program = tuple(program)

    def _made_directory(self) -> Path:
        assert self._own_directory is not None
        return self._own_directory

    @property
    def base_url(self) -> str:
        """Return the base URL, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Return the id of the running process."""
        assert self.process is not None, "The server is not running."
        return self.process.pid

    def __enter__(self) -> Self:
        """Start, if it is not running yet."""
        return self if self.process else self.start()

    def __exit__(self, *_: object) -> None:
        """End the process and remove its temporary files."""
        self.close()

    def start(self) -> Self:
        """Run `parlour serve` and wait until its ready file appears."""
        assert self.process is None, "The server is running already."
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        self.ready_path.unlink(missing_ok=True)
        self._spawn(preloaded=self._is_plain())
        if not self._becomes_ready():
            self.kill()
            message = f"The server did not start; end of {self.log_path}:\n{self.log_tail()}"
            raise ServerError(message)
        return self

    def _is_plain(self) -> bool:
        settings_only = all(name.startswith("PARLOUR_") for name in self._env)
        is_plain = self._program == PROGRAM and settings_only
        return self.is_forked and is_plain and not self._env.get(CRASH_VARIABLE)

    def _spawn(self, *, preloaded: bool = False) -> None:
        """Start the program without waiting for it; `preloaded` forks it from the template."""
        arguments = ["serve", "--port", str(self.port), "--data", str(self.data_dir), *self._args]
        environment, folder = self.environment(), self.data_dir.parent
        self.waits_for_disk = self.is_durable or not preloaded
        with self.log_path.open("ab") as log:
            if preloaded:
                self.process = template().start(
                    arguments,
                    environment,
                    folder,
                    (log.fileno(), log.fileno()),
                    is_durable=self.is_durable,
                )
            else:
                self.process = subprocess.Popen(
                    [sys.executable, *self._program, *arguments],
                    env=environment,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        self._guard = _guard(self.process.pid)
        atexit.register(self.kill)

    def environment(self) -> dict[str, str]:
        """Return the process's environment: ours without foreign settings, plus the account."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PARLOUR_")}
        # The tests run the source tree, not a copy installed elsewhere.
        inherited["PYTHONPATH"] = str(REPOSITORY / "src")
        account = {
            "PARLOUR_ACCOUNT_SID": self.account_sid,
            "PARLOUR_AUTH_TOKEN": self.auth_token,
            "PARLOUR_DATABASE": self.database,
            "PARLOUR_READY_FILE": str(self.ready_path),
        }
        return inherited | account | self._env

    def _becomes_ready(self) -> bool:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.process is None or _has_ended(self.process):
                return False
            if self.ready_path.exists():
                assert self.ready()["pid"] == self.process.pid
                return True
            time.sleep(0.02)
        return False

    def ready(self) -> dict[str, Any]:
        """Return the contents of the ready file."""
        found: dict[str, Any] = json.loads(self.ready_path.read_bytes())
        return found

    def is_healthy(self) -> bool:
        """Return whether `GET /healthz` responds with 200 now."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (http.client.HTTPException, OSError):
            return False
        finally:
            connection.close()

    def log_tail(self) -> str:
        """Return the end of the process's output."""
        if not self.log_path.exists():
            return "(no output)"
        return self.log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")

    def kill(self) -> None:
        """SIGKILL the whole process group, as in a crash."""
        process, self.process = self.process, None
        atexit.unregister(self.kill)
        if process is None:
            return
        # The guard ends first: after the group has ended, its number may be reused.
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        # The process is at most a zombie: after it is waited for and alone in its group, the number
        # may be reused by another test's process.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> int:
        """Send SIGTERM and return the exit code after a graceful shutdown."""
        assert self.process is not None, "The server is not running."
        self.process.send_signal(signal.SIGTERM)
        process, deadline = self.process, time.monotonic() + STOP_SECONDS_MAX
        while not _has_ended(process):
            if time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"The server did not stop within {STOP_SECONDS_MAX} s.")
            time.sleep(0.005)
        # Any processes left behind in the group end too.
        self.kill()
        return process.returncode

    def restart(self) -> Self:
        """Stop it if it runs, then start it on the same port and data."""
        if self.process is not None:
            self.stop()
        return self.start()

    def close(self) -> None:
        """Kill it if it runs, and remove its directory if that was temporary."""
        self.kill()
        self._reserved.close()
        if self._own_directory is not None:
            shutil.rmtree(self._own_directory, ignore_errors=True)

    def command(self, *arguments: str, on_data: bool = True) -> str:
        """Return the output of `parlour ARGUMENTS --data DIR`; a failure raises ServerError."""
        options = ("--data", str(self.data_dir)) if on_data else ()
        done = template().run(
            [*arguments, *options], self.environment(), self.data_dir.parent, COMMAND_SECONDS_MAX
        )
        if done.returncode != 0:
            message = f"parlour {' '.join(arguments)}: {done.returncode}\n{done.stderr}"
            raise ServerError(message)
        return done.stdout

    def make_account(self) -> tuple[str, str]:
        """Create an account; return its sid and its auth token."""
        return OfflineWrites(self.data_dir, self.database).make_account()

    def make_key(self, account_sid: str) -> tuple[str, str]:
        """Create an API key of an account; return its sid and its secret."""
        return OfflineWrites(self.data_dir, self.database).make_key(account_sid)

    def set_numbers(self, account_sid: str, *numbers: str) -> None:
        """Restrict the sender addresses of an account to these."""
        self.command("account", "numbers", "set", account_sid, *numbers)
