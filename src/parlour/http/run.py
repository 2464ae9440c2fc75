"""Running the ASGI server: start, signals, stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, cast

import structlog
import uvicorn

from parlour.http.connection import LimitedProtocol
from parlour.vocabulary import limits

if TYPE_CHECKING:
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
            await self._accept_several()
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            port = self.servers[0].sockets[0].getsockname()[1]
            scheme = "https" if self.config.is_ssl else "http"
            await self._started(f"{scheme}://{host}:{port}")

    async def _accept_several(self) -> None:
        """Let each turn of the loop accept several connections.

        The loop accepts one for each listener that it knows of. Where every turn serves many
        requests, the last of a hundred new clients would wait for a hundred such turns.
        """
        loop = asyncio.get_running_loop()
        for listener in [each for server in self.servers for each in server.sockets]:
            for _ in range(limits.ACCEPTED_PER_TURN - 1):
                again = socket.socket(fileno=os.dup(listener.fileno()))
                server = await loop.create_server(
                    self._protocol, sock=again, ssl=self.config.ssl, backlog=self.config.backlog
                )
                self.servers.append(server)

    def _protocol(self) -> asyncio.Protocol:
        return LimitedProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


async def run(
    asgi: Any,
    settings: Settings,
    started: Callable[[str], Awaitable[None]],
    socket_protocol: Callable[..., asyncio.Protocol],
    tls: Tls | None = None,
    *,
    parent: int | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; accepted requests finish, within the limit.

    ``started`` is told the address once requests are answered. With ``tls``, SIGHUP reads the
    certificate again. A worker shares the port with others, and ends when the other end of the
    pipe ``parent`` is closed.
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
        proxy_headers=False,  # See root_urls.py.
        timeout_keep_alive=limits.KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=limits.DRAIN_SECONDS_MAX,
        backlog=limits.BACKLOG_MAX,
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
    if parent is None:
        await server.serve()
    else:
        loop.add_reader(parent, _ended, loop, parent, stop)
        await server.serve([_shared_port(settings)])
    if not server.started:
        sys.exit(1)


def _ended(loop: asyncio.AbstractEventLoop, parent: int, stop: Callable[[], None]) -> None:
    """The parent is gone."""
    loop.remove_reader(parent)
    stop()


def _shared_port(settings: Settings) -> socket.socket:
    """A socket of our own on a port that other processes have as well."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((settings.host, settings.port))
    return made


def _reload(tls: Tls) -> None:
    """Read the certificate again: it was renewed."""
    try:
        tls.reload()
    except Exception:
        # Whatever is wrong with the new files, the old ones still serve.
        log.exception("certificate not reloaded")
    else:
        log.info("certificate reloaded")
