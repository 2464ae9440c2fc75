"""``parlour serve``: run the server until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from parlour.cli import environment
from parlour.cli.carriers_file import read_carriers
from parlour.cli.command_errors import report_errors
from parlour.cli.options import (
    SettingsError,
    setting_sources,
    settings_of,
    settings_options,
)
from parlour.config import (
    TEST_ACCOUNT_SID,
    TEST_API_KEY_SECRET,
    TEST_API_KEY_SID,
    TEST_AUTH_TOKEN,
    conflicts,
)
from parlour.vocabulary import limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from parlour.app import App
    from parlour.cli.ready_file import ReadyFile
    from parlour.config import Settings
    from parlour.http.tls import Tls


@click.command("serve")
@settings_options()
def command(**values: Any) -> None:
    """Run the server until SIGTERM or Ctrl-C.

    The first start creates an account and prints its credentials. For tests: --test. Each option
    has a variable: PARLOUR_PORT for --port.
    """
    settings = _for_test_mode(settings_of(values))
    if faults := [f"{each}." for each in conflicts(settings)]:
        raise SettingsError(faults)
    if not __debug__:
        raise click.UsageError("python -O is not supported: assertions protect the data")
    tls = _tls_of(settings)
    read_carriers(settings)
    _warn_of_variables()
    with report_errors(), _data_folder(settings) as settings, _locked(settings):
        if settings.ready_file:
            _prepare_ready_file(settings)
        status = 0
        if settings.workers == 1:
            parent = _parent_pipe() if settings.exit_with_parent else None
            run(settings, _bound(settings), tls, parent=parent)
        else:
            status = _run_workers(settings, tls)
        if settings.ready_file and status == 0:
            _remove_ready_file(settings)
    sys.exit(status)


def _for_test_mode(settings: Settings) -> Settings:
    """Return the settings with the well-known account of test mode, unless another is given."""
    if not settings.test or settings.account_sid:
        return settings
    return dataclasses.replace(
        settings,
        account_sid=TEST_ACCOUNT_SID,
        auth_token=settings.auth_token or TEST_AUTH_TOKEN,
        api_key_sid=settings.api_key_sid or TEST_API_KEY_SID,
        api_key_secret=settings.api_key_secret or TEST_API_KEY_SECRET,
    )


@contextlib.contextmanager
def _data_folder(settings: Settings) -> Iterator[Settings]:
    """Yield the settings; in test mode without a data folder, with a temporary one."""
    source = click.get_current_context().get_parameter_source("data")
    if not settings.test or source is not ParameterSource.DEFAULT:
        yield settings
        return
    import tempfile  # noqa: PLC0415 - only where it is used.

    with tempfile.TemporaryDirectory(prefix="parlour-test-", ignore_cleanup_errors=True) as folder:
        yield dataclasses.replace(settings, data=Path(folder))


def _warn_of_variables() -> None:
    found = environment.read(os.environ)
    if found.of_platform:
        names = ", ".join(found.of_platform)
        click.echo(f"Ignored variables of the container platform: {names}.", err=True)
    for name in found.unknown:
        click.echo(f"Warning: {name} is not a setting and is ignored.", err=True)


@contextlib.contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """Lock the data folder, if it contains the database."""
    from parlour.store.folder_lock import lock_folder  # noqa: PLC0415 - help needs none of it.
    from parlour.store.folder_mark import require_mark, require_no_mark  # noqa: PLC0415

    with contextlib.ExitStack() as held:
        with _file_errors(f"the data folder {settings.data.absolute()} cannot be used"):
            settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not settings.database:
                held.enter_context(lock_folder(settings.data))
                (require_mark if settings.test else require_no_mark)(settings.data)
        yield


@contextlib.contextmanager
def _file_errors(message: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, FileExistsError):
            reason = f"{error.filename} is a file"
        elif error.filename and str(error.filename) not in message:
            reason = f"{reason}: {error.filename}"
        raise click.ClickException(f"{message}: {reason}") from error


def _parent_pipe() -> int:
    """Return the standard input, whose end is the end of the parent. Raises UsageError."""
    descriptor = sys.stdin.fileno() if sys.stdin is not None else -1
    if descriptor < 0 or not _can_be_watched(os.fstat(descriptor).st_mode):
        raise click.UsageError("--exit-with-parent needs a pipe as the standard input")
    return descriptor


def _can_be_watched(mode: int) -> bool:
    """Return whether the event loop is notified about the end of such a file."""
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(sys.stdin.fileno())


def _bound(settings: Settings) -> list[socket.socket]:
    from parlour.http.binding import bind  # noqa: PLC0415 - help needs none of it.

    return bind(settings.host, settings.port)


def _run_workers(settings: Settings, tls: Tls | None) -> int:
    """Serve with several worker processes until a signal; return the exit status."""
    from parlour.cli.workers import Workers  # noqa: PLC0415 - only where it is used.
    from parlour.http.binding import bind, reserve_port  # noqa: PLC0415 - as above.
    from parlour.vocabulary.clock import SystemClock  # noqa: PLC0415 - as above.

    # Open until the end: the port stays reserved while a dead worker is replaced.
    reserved = reserve_port(settings.host, settings.port)
    settings = dataclasses.replace(settings, port=reserved[0].getsockname()[1])

    def work(number: int, parent: int) -> None:
        with report_errors():
            own = bind(settings.host, settings.port, shares=True)
            run(settings, own, tls, is_first=number == 0, parent=parent)

    try:
        return Workers(settings.workers, work, SystemClock()).run()
    finally:
        for each in reserved:
            each.close()


def _tls_of(settings: Settings) -> Tls | None:
    """Return the configured TLS context; report errors in its files before the start."""
    if not settings.tls_cert:
        return None
    from parlour.http.tls import Tls, TlsFilesError  # noqa: PLC0415 - only where it is used.

    try:
        return Tls(Path(settings.tls_cert), Path(settings.tls_key))
    except TlsFilesError as error:
        raise SettingsError([f"--tls-cert, --tls-key: {error}."]) from error


def _prepare_ready_file(settings: Settings) -> None:
    """Remove the file of an earlier run, so that its existence means that this run is ready."""
    from parlour.cli.ready_file import remove_old  # noqa: PLC0415 - only where it is used.

    try:
        remove_old(Path(settings.ready_file))
    except OSError as error:
        raise click.ClickException(f"the ready file cannot be written: {error}") from error


def _remove_ready_file(settings: Settings) -> None:
    from parlour.cli.ready_file import remove_own  # noqa: PLC0415 - only where it is used.

    with _file_errors("the ready file cannot be removed"):
        remove_own(Path(settings.ready_file))


def run(
    settings: Settings,
    sockets: list[socket.socket],
    tls: Tls | None = None,
    *,
    is_first: bool = True,
    parent: int | None = None,
) -> None:
    """Serve until a signal, or until ``parent``, a pipe from another process, is closed."""
    gc.disable()  # Objects of the start are permanent: traversing them repeatedly is slow.
    import uvloop  # noqa: PLC0415 - help needs none of this.

    from parlour.cli.logs import configure_logs  # noqa: PLC0415
    from parlour.cli.malloc import return_large_blocks  # noqa: PLC0415

    configure_logs(settings)
    return_large_blocks()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, sockets, tls, is_first=is_first, parent=parent))


async def _serve(
    settings: Settings,
    sockets: list[socket.socket],
    tls: Tls | None,
    *,
    is_first: bool,
    parent: int | None,
) -> None:
    from parlour.cli.ready_file import ReadyFile  # noqa: PLC0415 - as above.
    from parlour.http.binding import listen  # noqa: PLC0415
    from parlour.http.run import run as serve_http  # noqa: PLC0415

    app = await _opened(settings)
    await _start(app)
    try:
        if is_first:
            _warn_of_open_files(settings.data)
        # Before an account is created, whose auth token would be lost if this failed.
        listen(sockets)
        # The first worker creates and prints it, so that the ready file contains its secret.
        first, accounts = await _first_account(app) if is_first else (None, [])

        async def started(url: str) -> None:
            gc.freeze()
            gc.set_threshold(limits.GARBAGE_OBJECTS)
            gc.enable()
            if not is_first:
                return
            _welcome(settings, url, first, accounts)
            if settings.console:
                await _show_console(app, settings.public_url or url)
            if settings.ready_file:
                # The process that handles signals: the parent of workers.
                pid = os.getpid() if settings.workers == 1 else os.getppid()
                await _write_ready_file(ReadyFile(settings, app.store, first), url, pid)

        await serve_http(settings, started, app.connections(), sockets, tls, parent=parent)
    finally:
        await app.stop()


async def _start(app: App) -> None:
    """Start a server. If it refuses its seeds, all parts have started, and are stopped."""
    from parlour.vocabulary.startup_error import StartupError  # noqa: PLC0415 - as above.

    try:
        await app.start()
    except StartupError:
        await app.stop()
        raise


async def _first_account(app: App) -> tuple[tuple[str, str] | None, list[str]]:
    """Create an account if there is none; return its login, and the SIDs of two accounts."""
    from parlour.resources import account_setup  # noqa: PLC0415 - help needs none of it.

    first = await app.store.write(
        lambda tx: account_setup.create_first_account(tx, app.vault, app.random)
    )
    return first, await app.store.read(account_setup.first_account_sids)


def _warn_of_open_files(data: Path) -> None:
    """Log paths with unsafe permissions: a server does not change the mode of a given folder."""
    import structlog  # noqa: PLC0415 - help needs none of it.

    from parlour.inspection.exposed_files import (  # noqa: PLC0415 - as above.
        chmod_command,
        exposed_paths,
    )

    for path in exposed_paths(data):
        advice = chmod_command(path)
        structlog.get_logger().warning("data_folder_exposed", path=str(path), advice=advice)


async def _opened(settings: Settings) -> App:
    from parlour.app import open_app  # noqa: PLC0415 - help needs none of it.

    with _file_errors(f"the data folder {settings.data.absolute()} cannot be used"):
        app = await open_app(settings)
        app.setting_sources = setting_sources()
        return app


async def _write_ready_file(ready_file: ReadyFile, url: str, pid: int) -> None:
    try:
        await ready_file.write(url, pid)
    except OSError as error:
        raise click.ClickException(f"the ready file cannot be written: {error}") from error


async def _show_console(app: App, root_url: str) -> None:
    """Print the address of the console; elsewhere than in test mode a link, on a terminal only."""
    from parlour.cli.console_link import console_url, make_link, terminal  # noqa: PLC0415

    if app.settings.test:
        click.echo(f"Console: {console_url(root_url)}")
        return
    output = terminal()
    if output is not None:
        link = await make_link(app, root_url)
        click.echo(f"Console, good once within a minute: {link}", file=output)


def _welcome(
    settings: Settings, url: str, first: tuple[str, str] | None, accounts: list[str]
) -> None:
    from parlour.cli.startup_message import startup_lines  # noqa: PLC0415 - help needs none of it.

    for line in startup_lines(settings, url, first, accounts):
        click.echo(line)
