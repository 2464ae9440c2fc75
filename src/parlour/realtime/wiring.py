"""Composition of the realtime edge of one process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from parlour.realtime.connection_manager import ConnectionManager
from parlour.realtime.event_feed import EventFeed
from parlour.realtime.hub import Hub
from parlour.realtime.input_scheduler import InputLimits
from parlour.realtime.last_changed import LastChanged
from parlour.realtime.object_reader import ObjectReader
from parlour.realtime.presence import Presence
from parlour.realtime.read_scheduler import ReadScheduler
from parlour.realtime.reply_order import ReplyOrder
from parlour.realtime.socket_shares import SocketShares
from parlour.realtime.subscriptions import Subscriptions
from parlour.realtime.tunnel import Tunnel
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from parlour.operations.admission import Admission
    from parlour.operations.buffers import BufferPool
    from parlour.protocol.forwarded import TrustedProxies
    from parlour.protocol.vault import Vault
    from parlour.realtime.clock_timers import ClockTimers
    from parlour.realtime.disconnects import Disconnect
    from parlour.realtime.receiver import Registry
    from parlour.realtime.tunnel import CommandHandler
    from parlour.realtime.websocket import WebSocket
    from parlour.resources.tokens.verification import AccessTokenVerifier
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random


class Realtime:
    """The realtime edge of one process."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        clock: Clock,
        random: Random,
        *,
        admission: Admission,
        buffers: BufferPool,
        tokens: AccessTokenVerifier,
        proxies: TrustedProxies,
        commands: Callable[[Hub], CommandHandler],
        public_url: str,
        sockets_max: int,
        timers: ClockTimers | None = None,
    ) -> None:
        """``commands`` returns the command handler; it publishes typing indicators through the hub.

        ``sockets_max``: the maximum number of users' WebSockets in this process. ``timers``: for
        the ends of tokens; timers of the event loop by default.
        """
        self._buffers = buffers
        self._inputs = InputLimits()
        self.hub = Hub(random, clock)
        self.last_changed = last_changed = LastChanged()
        self._presence = Presence(store, self.hub, clock, random.token(16).hex())
        self.hub.on_presence_change = self._presence.changed
        read_scheduler = ReadScheduler(limits.HEAVY_READS_AT_ONCE if store.is_shared else 1)
        tunnel = Tunnel(
            commands(self.hub),
            ObjectReader(store),
            Subscriptions(store, self.hub, last_changed, clock, read_scheduler=read_scheduler),
            reply_order=ReplyOrder(store, self.hub, self._wait_published),
            read_scheduler=read_scheduler,
            admission=admission,
            random=random,
        )
        self.connections = ConnectionManager(
            store,
            tokens,
            self.hub,
            tunnel,
            SocketShares(
                total_max=min(sockets_max, limits.CONNECTIONS_MAX),
                per_account_max=limits.CONNECTIONS_PER_ACCOUNT_MAX,
            ),
            event_feed=lambda changed: EventFeed(
                store, self.hub, last_changed, clock, on_rights_changed=changed
            ),
            clock=clock,
            random=random,
            proxies=proxies,
            public_url=public_url,
            continuation_key=vault.continuation_key,
            timers=timers,
        )

    async def _wait_published(self, sequence: int) -> None:
        """Wait until the events up to a number are published to the connections."""
        await self.connections.event_feed.wait_published(sequence)

    async def disconnect(
        self, accounts: Callable[[str], bool], reason: Disconnect, timeout_seconds: float
    ) -> None:
        """Close the connections of some accounts, and record that their users are offline."""
        await self.connections.disconnect(accounts, reason, timeout_seconds)
        await self._presence.recorded()

    async def forget_through(self, sequence: int) -> None:
        """Evict all changes up to this event, which replaced rows without events."""
        self.last_changed.forget_through(sequence)
        self.hub.forget_typing()
        if self.connections.event_feed.is_running:
            await self.connections.event_feed.wait_published(sequence)

    def open_socket(self, registry: Registry) -> WebSocket:
        """Return the protocol of a connection that is upgraded to a WebSocket."""
        from parlour.realtime import websocket  # noqa: PLC0415 - see _load.

        return websocket.WebSocket(registry, self.connections.accept, self._buffers, self._inputs)

    def metrics(self) -> Iterator[Metric]:
        """Return the metrics; none of them has a label of a tenant."""
        description = "Client SDKs that are connected: WebSockets after `init`."
        yield GaugeMetricFamily("parlour_connections", description, value=len(self.hub))

    @property
    def wake(self) -> Callable[[], None]:
        """Return the callback for commits that wrote an event."""
        return self.connections.event_feed.wake

    async def start(self) -> None:
        """Clear the presence of this node from before a crash, and start."""
        await self._presence.start()
        self._warm_up = asyncio.get_running_loop().call_later(
            limits.WARM_UP_MS / 1000, self._load_libraries
        )

    @staticmethod
    def _load_libraries() -> None:
        """Import in the background what the first client would have to wait for."""
        asyncio.get_running_loop().run_in_executor(None, _load)

    async def stop(self) -> None:
        """Stop. The connections were closed before."""
        self.connections.is_stopping = True
        self._warm_up.cancel()
        await self.connections.event_feed.stop()
        await self._presence.stop()


def _load() -> None:
    """Import what takes a tenth of a second: later than the start, earlier than a connection."""
    import jwt  # noqa: F401, PLC0415

    import parlour.realtime.websocket  # noqa: F401, PLC0415
