"""Puts the realtime side of one process together, from the parts that it shares with the rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from parlour.realtime.endpoint import Endpoint
from parlour.realtime.hub import Hub
from parlour.realtime.inputs import Inputs
from parlour.realtime.news import News
from parlour.realtime.objects import Objects
from parlour.realtime.presence import Presence
from parlour.realtime.recency import Recency
from parlour.realtime.reply_order import ReplyOrder
from parlour.realtime.socket_shares import SocketShares
from parlour.realtime.subscriptions import Subscriptions
from parlour.realtime.tunnel import Tunnel
from parlour.realtime.turns import Turns
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from parlour.operations.admission import Admission
    from parlour.operations.buffers import BufferPool
    from parlour.protocol.forwarded import TrustedProxies
    from parlour.protocol.vault import Vault
    from parlour.realtime.receiver import Registry
    from parlour.realtime.tunnel import Commands
    from parlour.realtime.websocket import Socket
    from parlour.resources.tokens.verification import AccessTokenVerifier
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random


class Realtime:
    """Everything behind the realtime endpoint."""

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
        commands: Callable[[Hub], Commands],
        public_url: str,
        sockets_max: int,
    ) -> None:
        """``commands`` makes whoever answers commands; typing is told through the hub.

        ``sockets_max``: how many WebSockets of users this process has at most.
        """
        self._buffers = buffers
        self._inputs = Inputs()
        self.hub = Hub(random, clock)
        self.recency = recency = Recency()
        self._presence = Presence(store, self.hub, clock, random.token(16).hex())
        self.hub.presence = self._presence.changed
        turns = Turns(limits.HEAVY_READS_AT_ONCE if store.is_shared else 1)
        tunnel = Tunnel(
            commands(self.hub),
            Objects(store),
            Subscriptions(store, self.hub, recency, clock, turns=turns),
            order=ReplyOrder(store, self.hub, self._reached),
            turns=turns,
            admission=admission,
            random=random,
        )
        self.endpoint = Endpoint(
            store,
            tokens,
            self.hub,
            tunnel,
            SocketShares(
                in_all_max=min(sockets_max, limits.CONNECTIONS_MAX),
                of_account_max=limits.CONNECTIONS_PER_ACCOUNT_MAX,
            ),
            news=lambda changed: News(store, self.hub, recency, clock, rights_changed=changed),
            clock=clock,
            random=random,
            proxies=proxies,
            public_url=public_url,
            continuation_key=vault.continuation_key,
        )

    async def _reached(self, sequence: int) -> None:
        """Wait until the events up to a number are published to the connections."""
        await self.endpoint.news.reached(sequence)

    def open_socket(self, registry: Registry) -> Socket:
        """Return the protocol of a connection that becomes a WebSocket, counted by a registry."""
        from parlour.realtime import websocket  # noqa: PLC0415 - see _load.

        return websocket.Socket(registry, self.endpoint.accept, self._buffers, self._inputs)

    def figures(self) -> Iterator[Metric]:
        """The figures for monitoring: none of them says whose they are."""
        told = "Client SDKs that are connected: WebSockets after `init`."
        yield GaugeMetricFamily("parlour_connections", told, value=len(self.hub))

    @property
    def wake(self) -> Callable[[], None]:
        """Called after each commit that wrote an event."""
        return self.endpoint.news.wake

    async def start(self) -> None:
        """Nobody is connected yet, whatever was noted before a crash."""
        await self._presence.start()
        self._warm_up = asyncio.get_running_loop().call_later(
            limits.WARM_UP_MS / 1000, self._load_libraries
        )

    @staticmethod
    def _load_libraries() -> None:
        """Load in the background what the first client would have to wait for."""
        asyncio.get_running_loop().run_in_executor(None, _load)

    async def stop(self) -> None:
        """End; the connections have been told."""
        self.endpoint.is_stopping = True
        self._warm_up.cancel()
        await self.endpoint.news.stop()
        await self._presence.stop()


def _load() -> None:
    """Import what takes a tenth of a second: later than the start, earlier than a connection."""
    import jwt  # noqa: F401, PLC0415

    import parlour.realtime.websocket  # noqa: F401, PLC0415
