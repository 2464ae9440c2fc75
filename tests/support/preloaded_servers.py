"""Forks servers and commands from a process that has already imported the program.

An import takes 0.4 s of processor time, and the tests start hundreds of processes. A fork does what
``python -m parlour`` does after its imports, with the environment, folder, umask and output of the
test. Tests about the start itself, such as a kill during startup, execute the program.

The parent of a server is the test process, which waits for it: the template forks twice, and the
test process is the "child subreaper" of Linux during that time, which adopts the orphan.
"""

from __future__ import annotations

import array
import atexit
import ctypes
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parlour.store import engines
from parlour.store.sqlite.engine import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
CRASH_VARIABLE = "PARLOUR_CRASH_AT"
"""The only variable that the program reads while it is imported: with it, the program is executed.
"""
_SET_CHILD_SUBREAPER = 36  # From <sys/prctl.h>.
_MESSAGE_BYTES_MAX = 1 << 20
_PRELOADED = ("parlour.cli.serve", "parlour.app", "parlour.http.server", "asyncpg", "uvloop")


class ForkedProcess(subprocess.Popen[bytes]):
    """An adopted process; it is polled, signalled and waited for as a child."""

    def __init__(self, pid: int, arguments: Sequence[str]) -> None:
        """Adopt a running process."""
        self.pid = pid
        self.args = list(arguments)
        self.returncode = None
        self.stdin = self.stdout = self.stderr = None
        self._waitpid_lock = threading.Lock()
        self._child_created = True


class TemplateProcess:
    """The process with the imports; it ends with this one."""

    def __init__(self) -> None:
        """Start the template."""
        own, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PARLOUR_")}
        environment["PYTHONPATH"] = os.pathsep.join((str(REPOSITORY / "src"), str(REPOSITORY)))
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(its.fileno())],
                pass_fds=[its.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        self._socket = own
        self._lock = threading.Lock()
        atexit.register(self.close)

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        outputs: tuple[int, int],
        *,
        is_durable: bool = True,
    ) -> ForkedProcess:
        """Run the program with its output and its errors in two open files.

        Unless it ``is_durable``, its commits do not wait for the disk.
        """
        assert not environment.get(CRASH_VARIABLE), "it is read by an import"
        umask = os.umask(0)
        os.umask(umask)
        order = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "folder": str(folder),
            "umask": umask,
            "is_durable": is_durable,
        }
        with self._lock:
            _adopt_orphans(adopt=True)
            try:
                socket.send_fds(self._socket, [json.dumps(order).encode()], outputs)
                answer = self._socket.recv(64)
            finally:
                _adopt_orphans(adopt=False)
        assert answer, "the template of servers has ended"
        return ForkedProcess(int(answer), arguments)

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        seconds_max: float,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to completion; return its code and its output."""
        if environment.get(CRASH_VARIABLE):
            return subprocess.run(
                [sys.executable, "-m", "parlour", *arguments],
                env=environment,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=seconds_max,
                check=False,
            )
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            files = output, errors
            process = self.start(arguments, environment, folder, (output.fileno(), errors.fileno()))
            try:
                code = process.wait(seconds_max)
            finally:
                process.kill()
                process.wait()
            for each in files:
                each.seek(0)
            printed, failed = (each.read().decode() for each in files)
        return subprocess.CompletedProcess(list(arguments), code, printed, failed)

    def close(self) -> None:
        """End the template; the servers keep running."""
        self._socket.close()
        self._process.wait()


@cache
def template() -> TemplateProcess:
    """Return the template of this test process."""
    return TemplateProcess()


def _adopt_orphans(*, adopt: bool) -> None:
    failed = ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)
    assert not failed, "no child subreaper"


def _next_order(orders: socket.socket) -> tuple[dict[str, Any], tuple[int, int]]:
    """Return the next command and its outputs in a new process; never return in this one."""
    while True:
        message, ancillary, _, _ = orders.recvmsg(_MESSAGE_BYTES_MAX, socket.CMSG_SPACE(8))
        if not message:
            os._exit(0)
        output, errors = array.array("i", ancillary[0][2])
        read, write = os.pipe()
        between = os.fork()
        if between == 0:
            pid = os.fork()
            if pid == 0:
                os.close(read)
                os.close(write)
                orders.close()
                return json.loads(message), (output, errors)
            os.write(write, str(pid).encode())
            os._exit(0)
        os.close(write)
        os.waitpid(between, 0)
        orders.send(os.read(read, 64))
        os.close(read)
        os.close(output)
        os.close(errors)


def _become(order: dict[str, Any], outputs: tuple[int, int]) -> None:
    """Set up this process as an execution of the program would."""
    os.setsid()
    for number, output in enumerate(outputs, 1):
        os.dup2(output, number)
        os.close(output)
    os.chdir(order["folder"])
    os.umask(order["umask"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path[:] = [order["folder"], *(each for each in sys.path[1:] if each != str(REPOSITORY))]
    sys.argv = ["parlour", *order["arguments"]]


if __name__ == "__main__":
    for each in _PRELOADED:
        importlib.import_module(each)
    order, outputs = _next_order(socket.socket(fileno=int(sys.argv[1])))
    _become(order, outputs)
    if not order["is_durable"]:
        vars(engines)["SqliteStore"] = partial(SqliteStore, synchronous="OFF")
    runpy.run_module("parlour", run_name="__main__", alter_sys=True)
