"""Several worker processes that serve one port: started, supervised and stopped together.

Each is a separate node; the kernel balances connections over them. A worker that dies is restarted.
The workers exit with their parent, even if it is killed.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.vocabulary.clock import Clock

# A worker that dies earlier than this failed to start.
_START_MS: Final = 2_000


class Workers:
    """The supervisor, in the parent process."""

    def __init__(self, count: int, work: Callable[[int, int], None], clock: Clock) -> None:
        """``work`` runs in a worker, with its number and a pipe that closes with the parent."""
        self._count = count
        self._work = work
        self._clock = clock
        self._started: dict[int, tuple[int, float]] = {}
        self._is_stopping = False
        # Nothing is ever written to it: its end signals the parent's exit.
        self._read_end, self._write_end = os.pipe()

    def run(self) -> int:
        """Run the workers until a signal; return the exit status."""
        for number in range(self._count):
            self._start(number)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)
        signal.signal(signal.SIGHUP, self._pass_on)
        failed = False
        while self._started:
            pid, status = os.waitpid(-1, 0)
            number, started_ms = self._started.pop(pid)
            if self._is_stopping:
                continue
            if self._clock.monotonic_ms() - started_ms < _START_MS:
                failed = True
                self._stop()
                continue
            click.echo(f"worker {number} exited ({status}) and is restarted", err=True)
            self._start(number)
        return 1 if failed else 0

    def _start(self, number: int) -> None:
        pid = os.fork()
        if pid:
            self._started[pid] = number, self._clock.monotonic_ms()
            return
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, signal.SIG_DFL)
        os.close(self._write_end)
        status = 1
        try:
            self._work(number, self._read_end)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except click.ClickException as error:
            error.show()
        except BaseException:  # noqa: BLE001 - the parent's code must not continue here.
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _stop(self, *_: Any) -> None:
        self._is_stopping = True
        self._send(signal.SIGTERM)

    def _pass_on(self, name: int, *_: Any) -> None:
        self._send(name)

    def _send(self, name: int) -> None:
        for pid in self._started:
            os.kill(pid, name)
