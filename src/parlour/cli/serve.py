"""``parlour serve``: run the server until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parlour.cli.options import settings_of, settings_options

if TYPE_CHECKING:
    from parlour.config import Settings
    from parlour.http.tls import Tls


@click.command("serve")
@settings_options()
def command(**values: Any) -> None:
    """Run the server."""
    settings = settings_of(values)
    if bool(settings.account_sid) != bool(settings.auth_token):
        raise click.UsageError("an account sid and its auth token are given together")
    if bool(settings.api_key_sid) != bool(settings.api_key_secret):
        raise click.UsageError("an API key's sid and its secret are given together")
    if settings.webhook_allow_private not in {"auto", "yes", "no"}:
        raise click.UsageError("webhooks to private addresses: yes, no or auto")
    if settings.webhook_retries not in {"durable", "hosted"}:
        raise click.UsageError("webhook retries are durable or hosted")
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise click.UsageError("a certificate and its key are given together")
    if settings.redis and not settings.redis.startswith(("redis://", "rediss://", "unix://")):
        raise click.UsageError("Redis is given as redis://host:port")
    if not __debug__:
        raise click.UsageError("assertions guard the data: python -O is refused")
    run(settings, _tls_of(settings))


def _tls_of(settings: Settings) -> Tls | None:
    """The TLS that the settings ask for; what is wrong with the files is said before a start."""
    if not settings.tls_cert:
        return None
    from parlour.http.tls import Tls, TlsFilesError  # noqa: PLC0415 - only where it is used.

    try:
        return Tls(Path(settings.tls_cert), Path(settings.tls_key))
    except TlsFilesError as error:
        raise click.ClickException(str(error)) from error


def run(settings: Settings, tls: Tls | None = None) -> None:
    """Serve until a signal."""
    import uvloop  # noqa: PLC0415 - help needs none of this.

    from parlour.cli.logs import configure_logs  # noqa: PLC0415

    configure_logs(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, tls))


async def _serve(settings: Settings, tls: Tls | None) -> None:
    from parlour.app import App  # noqa: PLC0415 - as above.
    from parlour.http.run import run as serve_http  # noqa: PLC0415

    app = App(settings)
    await app.start()
    first = await app.first_account()

    async def started(url: str) -> None:
        _welcome(settings, url, first)

    try:
        await serve_http(app.asgi, settings, started, app.open_socket, tls)
    finally:
        await app.stop()


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
