"""``parlour exec``: run a command with a server in test mode.

| process | ends |
|---|---|
| the command | on its own terms; signals to this process are forwarded to it |
| the server | when this process closes its standard input, or is killed (``--exit-with-parent``) |
| this process | after both, with the status of the command; 128 + N if signal N ended it |

The server's data are in a temporary folder, which it removes itself. After a SIGKILL of this
process both end too: the kernel closes the server's standard input, and on Linux it sends the
command SIGTERM.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from parlour.cli.options import settings_options
from parlour.config import setting_descriptions
from parlour.vocabulary.clock import SystemClock, SystemRandom

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

_SETTINGS: Final = ("seed", "export_on_exit", "random_seed", "strict", "open_accounts")
# Variables of settings that are this command's own, or of another server.
_NOT_PASSED_ON: Final = frozenset(
    f"PARLOUR_{name}"
    for name in (
        *("DATA", "DATABASE", "REDIS", "WORKERS", "HOST", "PORT", "PUBLIC_URL", "READY_FILE"),
        *("ACCOUNT_SID", "AUTH_TOKEN", "API_KEY_SID", "API_KEY_SECRET", "TLS_CERT", "TLS_KEY"),
        *(each.upper() for each in _SETTINGS),
    )
)
_FORWARDED: Final = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_OF_TERMINAL: Final = (signal.SIGINT, signal.SIGQUIT)
_START_SECONDS_MAX: Final = 30
_STOP_SECONDS_MAX: Final = 30
_POLL_SECONDS: Final = 0.01
_LOG_SHOWN_BYTES: Final = 4096
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126
_SET_PARENT_DEATH_SIGNAL: Final = 1  # From <sys/prctl.h>.


@click.command("exec", context_settings={"ignore_unknown_options": True})
@settings_options(*_SETTINGS)
@click.option(
    "--server-log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the output of the server to this file.",
)
@click.argument("words", metavar="[--] COMMAND...", nargs=-1, type=click.UNPROCESSED, required=True)
def command(words: tuple[str, ...], server_log: Path | None, **values: Any) -> None:
    """Start a server in test mode, run a command, stop the server.

    The command finds the server by PARLOUR_URL, PARLOUR_ACCOUNT_SID, PARLOUR_AUTH_TOKEN, and the
    credentials also as TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_API_KEY, TWILIO_API_SECRET.
    Its status is returned.
    """
    if shutil.which(words[0]) is None:
        click.echo(f"Error: command not found: {words[0]}", err=True)
        sys.exit(_NOT_FOUND)
    with _log_file(server_log) as log, _server(_arguments(values), log) as ready:
        status = _run(words, _environment(ready))
    sys.exit(status)


def _arguments(values: Mapping[str, Any]) -> list[str]:
    """Return the options of ``serve`` for the settings that differ from their defaults."""
    arguments = []
    for setting in setting_descriptions():
        value = values.get(setting.name, setting.default)
        if value == setting.default:
            continue
        for each in value if isinstance(value, tuple) else (value,):
            arguments += [setting.flag, str(each).lower() if each is True else str(each)]
    return arguments


@contextlib.contextmanager
def _log_file(path: Path | None) -> Iterator[IO[bytes]]:
    try:
        log = tempfile.TemporaryFile() if path is None else path.open("w+b")  # noqa: SIM115
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    with log:
        yield log


@contextlib.contextmanager
def _server(arguments: Sequence[str], log: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the content of the ready file of a running server, and stop the server."""
    name = f"parlour-exec-{SystemRandom().token(16).hex()}.json"
    ready_file = Path(tempfile.gettempdir()) / name
    own = ["--port", "0", "--ready-file", str(ready_file), "--exit-with-parent"]
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    server = subprocess.Popen(  # noqa: S603 - this program itself.
        [sys.executable, "-m", "parlour", "serve", "--test", *own, *arguments],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=environment,
        # Another process group: Ctrl-C in the terminal is for the command.
        start_new_session=True,
    )
    try:
        yield _wait_until_ready(server, ready_file, log)
    finally:
        _stop(server)
        ready_file.unlink(missing_ok=True)


def _wait_until_ready(
    server: subprocess.Popen[bytes], ready_file: Path, log: IO[bytes]
) -> dict[str, Any]:
    clock = SystemClock()
    last_ms = clock.monotonic_ms() + _START_SECONDS_MAX * 1000
    while not ready_file.exists():
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_POLL_SECONDS)
            raise click.ClickException(f"the server did not start:\n{_end_of(log)}")
        if clock.monotonic_ms() > last_ms:
            raise click.ClickException(
                f"the server did not start within {_START_SECONDS_MAX} s:\n{_end_of(log)}"
            )
    content: dict[str, Any] = json.loads(ready_file.read_bytes())
    return content


def _end_of(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(size - _LOG_SHOWN_BYTES, 0))
    return log.read().decode(errors="replace").strip()


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Stop the server, which exports its seed and removes its data."""
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(_STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
        click.echo("the server did not stop and was killed", err=True)


def _environment(ready: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of the command."""
    own = {
        "PARLOUR_URL": ready["url"],
        "PARLOUR_WS_URL": ready["ws_url"],
        "PARLOUR_ACCOUNT_SID": ready["account_sid"],
        "PARLOUR_AUTH_TOKEN": ready["auth_token"],
        "PARLOUR_API_KEY_SID": ready["api_key_sid"],
        "PARLOUR_API_KEY_SECRET": ready["api_key_secret"],
        "PARLOUR_SERVICE_SID": ready["service_sid"],
        "TWILIO_ACCOUNT_SID": ready["account_sid"],
        "TWILIO_AUTH_TOKEN": ready["auth_token"],
        "TWILIO_API_KEY": ready["api_key_sid"],
        "TWILIO_API_SECRET": ready["api_key_secret"],
    }
    inherited = {k: v for k, v in os.environ.items() if k not in _NOT_PASSED_ON}
    return inherited | {name: value for name, value in own.items() if value}


def _run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the command; return its status as a shell does."""
    started: list[subprocess.Popen[bytes]] = []
    pending: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        if number in _OF_TERMINAL and _is_in_foreground():
            return  # The terminal sends it to the command as well.
        if started:
            started[0].send_signal(number)
        else:
            pending.append(number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        try:
            # This process has one thread, so that a function may run between fork and exec.
            process = subprocess.Popen(  # noqa: S603 - the user's own command.
                words,
                env=environment,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - as above.
            )
        except OSError as error:
            click.echo(f"{words[0]} cannot be run: {error.strerror}", err=True)
            return _NOT_EXECUTABLE
        started.append(process)
        for number in pending:
            process.send_signal(number)
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _is_in_foreground() -> bool:
    """Return whether this process is in the foreground of a terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _end_with_parent() -> Any:
    """Return a function that a child runs before it executes the command; None if not possible."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def prepare() -> None:
        prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # It ended before.
            os.kill(os.getpid(), signal.SIGTERM)

    return prepare
