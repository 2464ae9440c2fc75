"""The serving process: listeners, signals, shutdown."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING

import structlog

from parlour.http import open_files
from parlour.http.tls_handshakes import TlsHandshakes
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.config import Settings
    from parlour.http.connections import HttpConnections
    from parlour.http.tls import Tls

log = structlog.get_logger()


class Listeners:
    """The listening sockets of one process.

    Each is registered several times, to accept several connections per turn of the event loop.
    """

    # The loop accepts one connection per turn and registered socket. Under load a turn serves many
    # requests, so the last of a hundred new clients would wait for a hundred turns. Duplicates of
    # the descriptor share the accept queue of the kernel.

    def __init__(self, connections: HttpConnections, tls: Tls | None) -> None:
        maker = TlsHandshakes(connections, tls.context) if tls else connections
        self._make_protocol = maker.make_protocol
        self._servers: list[asyncio.Server] = []

    async def accept(self, sockets: list[socket.socket]) -> int:
        """Accept connections of listening sockets; return the port."""
        for listener in sockets:
            await self._add(listener)
            # Limits unsent bytes in the kernel; accepted sockets inherit the option.
            listener.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limits.KERNEL_UNSENT_BYTES_MAX
            )
            for _ in range(limits.ACCEPTED_PER_TURN - 1):
                await self._add(socket.socket(fileno=os.dup(listener.fileno())))
        port: int = sockets[0].getsockname()[1]
        return port

    async def _add(self, listener: socket.socket) -> None:
        server: asyncio.Server = await asyncio.get_running_loop().create_server(
            self._make_protocol, backlog=limits.BACKLOG_MAX, sock=listener
        )
        self._servers.append(server)

    def close(self) -> None:
        """Stop accepting connections."""
        for server in self._servers:
            server.close()


async def run(
    settings: Settings,
    started: Callable[[str], Awaitable[None]],
    connections: HttpConnections,
    sockets: list[socket.socket],
    tls: Tls | None = None,
    *,
    parent: int | None = None,
) -> None:
    """Serve on listening sockets until SIGTERM or SIGINT, then drain accepted requests.

    ``started`` is called with the address once requests can be served. With ``tls``, SIGHUP reloads
    the certificate. A worker ends when the other end of the pipe ``parent`` is closed.
    """
    if (most := open_files.connections_max(settings)) < settings.connections_max:
        log.warning(
            "open_files_check_failed",
            open_files=open_files.open_files_max(),
            needed=open_files.open_files_needed(settings),
            connections_max=most,
        )
    listeners = Listeners(connections, tls)
    stopped = _stop_at_signals(tls, parent)
    port = await listeners.accept(sockets)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    await started(f"{'https' if tls else 'http'}://{host}:{port}")
    await stopped.wait()
    # No new connections before the drain starts, or it might never end.
    listeners.close()
    await connections.stop()


def _stop_at_signals(tls: Tls | None, parent: int | None) -> asyncio.Event:
    """Return an event that is set at SIGTERM, SIGINT or the end of the parent."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        log.info("shutdown_started")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if tls:
        loop.add_signal_handler(signal.SIGHUP, _reload, tls)
    if parent is not None:
        loop.add_reader(parent, _ended, loop, parent, stop)
    return stopped


def _ended(loop: asyncio.AbstractEventLoop, parent: int, stop: Callable[[], None]) -> None:
    """Stop if the parent process has ended; discard what it has sent."""
    try:
        if os.read(parent, limits.READ_BYTES_MAX):
            return
    except BlockingIOError:
        return
    loop.remove_reader(parent)
    stop()


def _reload(tls: Tls) -> None:
    """Reload the renewed certificate."""
    try:
        tls.reload()
    except Exception:
        # The old certificate stays in use.
        log.exception("certificate_reload_failed")
    else:
        log.info("certificate_reloaded")
