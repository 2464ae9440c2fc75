"""The server's process: start, wait until it is ready, stop.

The server ends with its parent: its standard input is a pipe from this process (option
``--exit-with-parent``). So a killed test run leaves no server behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parlour_testkit.errors import ServerStartFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_COMMAND = "parlour"
START_TIMEOUT_S = 60.0
"""Real seconds until a server must be ready; a container starts more slowly than a process."""
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.01
_LOG_TAIL_BYTES = 4_000


@dataclass
class ServerProcess:
    """A running server, with its log and the content of its ready file."""

    process: subprocess.Popen[bytes]
    folder: tempfile.TemporaryDirectory[str]
    ready: dict[str, Any]

    def stop(self) -> None:
        """End the process, and remove its folder; a second call does nothing."""
        _stop(self.process)
        self.folder.cleanup()

    def log_tail(self) -> str:
        """Return the end of the server's log; empty after the stop."""
        return _tail(Path(self.folder.name))


def default_command() -> str:
    """Return the ``parlour`` next to this Python, if there is one, else the one in PATH.

    A run of ``.venv/bin/pytest`` has a PATH without the environment's programs.
    """
    installed = Path(sys.executable).parent / DEFAULT_COMMAND
    return shlex.quote(str(installed)) if os.access(installed, os.X_OK) else DEFAULT_COMMAND


def start_process(command: str, arguments: Sequence[str] = ()) -> ServerProcess:
    """Start ``command serve --test`` on a free port, and wait until it is ready.

    Raises ServerStartFailed, with the end of the log. Variables ``PARLOUR_*`` of this process are
    not passed on: they would configure the server.
    """
    folder = tempfile.TemporaryDirectory(prefix="parlour-testkit-", ignore_cleanup_errors=True)
    path = Path(folder.name)
    line = [
        *(*shlex.split(command), "serve", "--test", "--port", "0"),
        *("--ready-file", str(path / "ready.json"), "--exit-with-parent", *arguments),
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PARLOUR_")}
    try:
        with (path / "server.log").open("wb") as log:
            # A separate session: Ctrl-C ends the tests, whose teardown still needs the server.
            process = subprocess.Popen(
                line,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:
        folder.cleanup()
        raise ServerStartFailed(
            f"{line[0]!r} cannot be started: {error.strerror}. Install the server, or name its "
            "command (ini option parlour_command), or set PARLOUR_URL to a running one."
        ) from error
    try:
        ready = _wait_until_ready(process, path, line)
    except BaseException:
        _stop(process)
        folder.cleanup()
        raise
    return ServerProcess(process, folder, ready)


def _wait_until_ready(
    process: subprocess.Popen[bytes], folder: Path, line: list[str]
) -> dict[str, Any]:
    """Poll for the ready file. Steps are counted, since a test may have frozen the clock."""
    for _ in range(int(START_TIMEOUT_S / _POLL_S)):
        with contextlib.suppress(FileNotFoundError):
            content: dict[str, Any] = json.loads((folder / "ready.json").read_bytes())
            return content
        status = process.poll()
        if status is not None:
            raise ServerStartFailed(
                f"{shlex.join(line)} ended with status {status} before it was ready:\n"
                f"{_tail(folder)}"
            )
        time.sleep(_POLL_S)
    raise ServerStartFailed(
        f"{shlex.join(line)} was not ready within {START_TIMEOUT_S:g} s. If it runs in a "
        f"container, it needs the folder {folder.parent} and the host's network.\n{_tail(folder)}"
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(folder: Path) -> str:
    try:
        return (folder / "server.log").read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
    except FileNotFoundError:
        return ""
