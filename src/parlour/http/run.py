"""Running the ASGI server: start, signals, stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any, cast

import structlog
import uvicorn

from parlour.http.connection import LimitedProtocol
from parlour.vocabulary import limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from parlour.config import Settings
    from parlour.http.tls import Tls

log = structlog.get_logger()


class _Uvicorn(uvicorn.Server):
    """The server, with its stop bounded and its signals ours."""

    def __init__(self, config: uvicorn.Config, started: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(config)
        self._started = started

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Leave signals to ``run``: SIGTERM ends the process with status 0."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and then say where."""
        await super().startup(sockets)
        if self.started:
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            port = self.servers[0].sockets[0].getsockname()[1]
            scheme = "https" if self.config.is_ssl else "http"
            await self._started(f"{scheme}://{host}:{port}")


async def run(
    asgi: Any,
    settings: Settings,
    started: Callable[[str], Awaitable[None]],
    socket_protocol: Callable[..., asyncio.Protocol],
    tls: Tls | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; accepted requests finish, within the limit.

    ``started`` is told the address once requests are answered. With ``tls``, SIGHUP reads the
    certificate again.
    """
    config = uvicorn.Config(
        asgi,
        host=settings.host,
        port=settings.port,
        loop="none",
        http=LimitedProtocol,
        ws=cast("type[asyncio.Protocol]", socket_protocol),
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        timeout_keep_alive=limits.KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=limits.DRAIN_SECONDS_MAX,
        backlog=2048,
        ssl_context_factory=(lambda *_: tls.context) if tls else None,
    )
    server = _Uvicorn(config, started)

    def stop() -> None:
        log.info("stopping")
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if tls:
        loop.add_signal_handler(signal.SIGHUP, _reload, tls)
    await server.serve()
    if not server.started:
        sys.exit(1)


def _reload(tls: Tls) -> None:
    """Read the certificate again: it was renewed."""
    try:
        tls.reload()
    except Exception:
        # Whatever is wrong with the new files, the old ones still serve.
        log.exception("certificate not reloaded")
    else:
        log.info("certificate reloaded")
