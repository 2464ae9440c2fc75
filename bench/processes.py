"""Server processes under test: each on a separate core, measured through /proc."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.ports import ReservedPort

ROOT = Path(__file__).resolve().parent.parent
# Databases are created next to the sources and not in a temporary folder: that may be memory, where
# a commit costs nothing and every comparison with a real disk would be wrong.
BUILD = Path(__file__).resolve().parent / "build"

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 15.0
POLL_SECONDS = 0.001
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class StartError(Exception):
    """A server under test ended, or never responded."""


def cores_apart() -> tuple[frozenset[int], frozenset[int]]:
    """A core for the servers and another for the load; both empty where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return frozenset(), frozenset()
    return frozenset(cores[:1]), frozenset(cores[1:2])


@contextlib.contextmanager
def pinned_to(cores: frozenset[int]) -> Iterator[None]:
    """Run processes started in this context on these cores only; no cores means no pinning."""
    before = os.sched_getaffinity(0)
    if cores:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """An empty folder on the disk of the sources, removed at the end."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="data-", dir=BUILD))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Process:
    """One server process: its start, its resource usage, its end."""

    def __init__(
        self,
        arguments: list[str],
        *,
        port: ReservedPort,
        log: Path,
        ready_path: str = "/healthz",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Store the arguments to this Python, and the address where it will listen."""
        self.command = [sys.executable, *arguments]
        self._reserved = port
        self.port = port.number
        self.log = log
        self.ready_path = ready_path
        self.environment = dict(environment or {})
        self.started_seconds = 0.0
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        assert self._child is not None, "not started"
        return self._child.pid

    def start(self, cores: frozenset[int] = frozenset()) -> float:
        """Start it and wait for its first answer; returns the seconds between the two."""
        paths = [str(ROOT / "src"), str(ROOT)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **self.environment}
        with self.log.open("ab") as log, pinned_to(cores):
            begin = time.perf_counter()
            self._child = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=environment, cwd=self.log.parent
            )
        while not self._answers():
            if self._child.poll() is not None or time.perf_counter() - begin > START_SECONDS_MAX:
                self.stop()
                raise StartError(f"{self.command}: {self.log.read_text()[-2000:]}")
            time.sleep(POLL_SECONDS)
        self.started_seconds = time.perf_counter() - begin
        return self.started_seconds

    def stop(self) -> None:
        """Stop it as an operator would, and kill it after a timeout."""
        child = self._child
        if child is None:
            return
        child.terminate()
        try:
            child.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._child = None

    def cpu_seconds(self) -> float:
        """Return the processor time of all threads so far, user and system."""
        text = Path(f"/proc/{self.pid}/stat").read_text()
        # The command's name may contain spaces: fields are counted after its closing bracket.
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def resident_bytes(self) -> int:
        """Return the resident memory of the process."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise StartError("the process has no memory any more")

    def _answers(self) -> bool:
        request = f"GET {self.ready_path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as client:
                client.sendall(request.encode())
                return client.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def __enter__(self) -> Self:
        """Return the process itself; the caller starts it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the process in any case, and release its port."""
        self.stop()
        self._reserved.close()
