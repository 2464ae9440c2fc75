"""``parlour serve``: run the server until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parlour.cli.options import settings_of, settings_options
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.cli.ready_file import ReadyFile
    from parlour.config import Settings
    from parlour.http.tls import Tls


@click.command("serve")
@settings_options()
def command(**values: Any) -> None:
    """Run the server."""
    settings = settings_of(values)
    for is_wrong, text in _refused(settings):
        if is_wrong:
            raise click.UsageError(text)
    _must_be_networks(settings.trusted_proxies)
    tls = _tls_of(settings)
    if settings.ready_file:
        _prepare_ready_file(settings)
    if settings.workers == 1:
        run(settings, tls)
    else:
        _run_workers(settings, tls)


def _refused(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """What may be wrong with settings that are each right for themselves."""
    redis = ("redis://", "rediss://", "unix://")
    return (
        (
            bool(settings.account_sid) != bool(settings.auth_token),
            "an account sid and its auth token are given together",
        ),
        (
            bool(settings.api_key_sid) != bool(settings.api_key_secret),
            "an API key's sid and its secret are given together",
        ),
        (
            bool(settings.account_sid) and not settings.account_sid.startswith(sids.ACCOUNT),
            "an account's sid begins with AC",
        ),
        (
            bool(settings.api_key_sid) and not settings.api_key_sid.startswith(sids.API_KEY),
            "an API key's sid begins with SK",
        ),
        (
            settings.webhook_allow_private not in {"auto", "yes", "no"},
            "webhooks to private addresses: yes, no or auto",
        ),
        (
            settings.webhook_retries not in {"durable", "hosted"},
            "webhook retries are durable or hosted",
        ),
        (
            bool(settings.tls_cert) != bool(settings.tls_key),
            "a certificate and its key are given together",
        ),
        (
            bool(settings.redis) and not settings.redis.startswith(redis),
            "Redis is given as redis://host:port",
        ),
        (
            settings.workers < 1 or (settings.workers > 1 and not settings.database),
            "several workers need PostgreSQL: --database postgresql://…",
        ),
        (
            settings.buffer_bytes_max < limits.BUFFER_BYTES_MIN,
            f"buffers of at least {limits.BUFFER_BYTES_MIN} bytes are needed",
        ),
        (not __debug__, "assertions guard the data: python -O is refused"),
    )


def _must_be_networks(trusted_proxies: str) -> None:
    from parlour.protocol.forwarded import parse_networks  # noqa: PLC0415 - help needs none of it.

    try:
        parse_networks(trusted_proxies)
    except ValueError as error:
        raise click.UsageError(f"trusted proxies: {error}") from error


def _run_workers(settings: Settings, tls: Tls | None) -> None:
    """Serve with several processes until a signal."""
    from parlour.cli.workers import Workers, reserve_port  # noqa: PLC0415 - only where used.
    from parlour.vocabulary.clock import SystemClock  # noqa: PLC0415 - as above.

    # Open until the end: the port stays ours while a worker that died is replaced.
    reserved = reserve_port(settings.host, settings.port)
    settings = dataclasses.replace(settings, port=reserved.getsockname()[1])

    def work(number: int, parent: int) -> None:
        run(settings, tls, is_first=number == 0, parent=parent)

    sys.exit(Workers(settings.workers, work, SystemClock()).run())


def _tls_of(settings: Settings) -> Tls | None:
    """The TLS that the settings ask for; what is wrong with the files is said before a start."""
    if not settings.tls_cert:
        return None
    from parlour.http.tls import Tls, TlsFilesError  # noqa: PLC0415 - only where it is used.

    try:
        return Tls(Path(settings.tls_cert), Path(settings.tls_key))
    except TlsFilesError as error:
        raise click.ClickException(str(error)) from error


def _prepare_ready_file(settings: Settings) -> None:
    """Remove the file of an earlier run: what is there is of this one."""
    from parlour.cli.ready_file import remove_old  # noqa: PLC0415 - only where it is used.

    try:
        remove_old(Path(settings.ready_file))
    except OSError as error:
        raise click.ClickException(f"the ready file cannot be written: {error}") from error


def run(
    settings: Settings, tls: Tls | None = None, *, is_first: bool = True, parent: int | None = None
) -> None:
    """Serve until a signal, or until the end of ``parent`` (a pipe) where there is one."""
    gc.disable()  # What a start loads stays: looking through it again and again takes long.
    import uvloop  # noqa: PLC0415 - help needs none of this.

    from parlour.cli.logs import configure_logs  # noqa: PLC0415
    from parlour.cli.memory import return_large_blocks  # noqa: PLC0415

    configure_logs(settings)
    return_large_blocks()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, tls, is_first=is_first, parent=parent))


async def _serve(
    settings: Settings, tls: Tls | None, *, is_first: bool, parent: int | None
) -> None:
    from parlour.app import App  # noqa: PLC0415 - as above.
    from parlour.cli.ready_file import ReadyFile  # noqa: PLC0415
    from parlour.http.run import run as serve_http  # noqa: PLC0415
    from parlour.store.transaction import DatabaseError, Unavailable  # noqa: PLC0415

    try:
        app = App(settings)
        await app.start()
    except (DatabaseError, Unavailable) as error:
        raise click.ClickException(f"the database cannot be used: {error}") from error
    if is_first:
        _warn_of_open_files(settings.data)
    # One worker makes it and tells of it, so that the ready file has its secret.
    first = await app.first_account() if is_first else None

    async def started(url: str) -> None:
        gc.freeze()
        gc.set_threshold(limits.GARBAGE_OBJECTS)
        gc.enable()
        if not is_first:
            return
        _welcome(settings, url, first)
        if settings.ready_file:
            # The process that takes signals: the parent of workers.
            pid = os.getpid() if parent is None else os.getppid()
            await _write_ready_file(ReadyFile(settings, app.store, first), url, pid)

    try:
        await serve_http(settings, started, app.connections(), tls, parent=parent)
    finally:
        await app.stop()


def _warn_of_open_files(data: Path) -> None:
    """Log what the doctor calls unsafe: a server does not change the mode of a given folder."""
    import structlog  # noqa: PLC0415 - help needs none of it.

    from parlour.cli.checkups import mode_for, open_paths  # noqa: PLC0415 - as above.

    for path in open_paths(data):
        advice = f"chmod {mode_for(path)} {path}"
        structlog.get_logger().warning("data_open_to_others", path=str(path), advice=advice)


async def _write_ready_file(ready_file: ReadyFile, url: str, pid: int) -> None:
    try:
        await ready_file.write(url, pid)
    except OSError as error:
        raise click.ClickException(f"the ready file cannot be written: {error}") from error


def _welcome(settings: Settings, url: str, first: tuple[str, str] | None) -> None:
    """Say where the server is and, once, how to use the account that was made."""
    url = settings.public_url or url
    click.echo(f"Parlour answers at {url}")
    if first is None:
        return
    sid, token = first
    click.echo("An account was made. Its auth token is shown this once:")
    click.echo(f"  export PARLOUR_URL={url} ACCOUNT_SID={sid} AUTH_TOKEN={token}")
    click.echo('  curl -u "$ACCOUNT_SID:$AUTH_TOKEN" -X POST "$PARLOUR_URL/v1/Conversations"')
