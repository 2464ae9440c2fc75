"""A network in memory: connections whose peer reacts to each request by a script."""

from __future__ import annotations

import asyncio
import functools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from parlour.egress.client import (
    Egress,
    EgressFailed,
    EgressPolicy,
    OutboundRequest,
    OutboundResponse,
)
from parlour.protocol.signatures import prepare_url
from tests.support.zero_random import ZeroRandom

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Coroutine

HOOK = "http://10.0.0.1/hook"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SECONDS_MAX = 10

Step = bytes | None
"""The peer's reaction to a request: bytes, or the end of the connection."""


class FakeTransport(asyncio.Transport):
    """The end of a connection to an address; closes as a real one does, in the next iteration."""

    def __init__(self, protocol: asyncio.Protocol, peer: tuple[str, int] | None) -> None:
        super().__init__({"peername": peer})
        self.protocol = protocol
        self.written: list[bytes] = []
        self.is_aborted = self.is_ended = False
        self.react: Callable[[FakeTransport], None] = lambda _transport: None
        protocol.connection_made(self)

    def is_closing(self) -> bool:
        return self.is_aborted or self.is_ended

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        asyncio.get_running_loop().call_soon(self.react, self)

    def abort(self) -> None:
        if not self.is_closing():
            self.is_aborted = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def receive(self, *parts: bytes) -> None:
        """Receive bytes of the peer, in these parts."""
        for part in parts:
            self.protocol.data_received(part)

    def end(self, error: Exception | None = None) -> None:
        """Let the peer close or reset the connection."""
        if not self.is_closing():
            self.is_ended = True
            self.protocol.connection_lost(error)


class FakeNetwork:
    """Opens connections; ``steps`` are the reactions to the next requests, then always OK."""

    def __init__(self, *steps: Step | Callable[[FakeTransport], None]) -> None:
        self.steps = list(steps)
        self.failures: dict[str, Exception] = {}
        self.transports: list[FakeTransport] = []
        self.connected: list[tuple[str, int, ssl.SSLContext | None, str | None]] = []
        self.peer: Callable[[str], tuple[str, int] | None] = lambda address: (address, 1)

    async def connect(
        self,
        factory: Callable[[], asyncio.Protocol],
        address: str,
        port: int,
        tls: ssl.SSLContext | None,
        server_name: str | None,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Connect, or fail as set for this address."""
        self.connected.append((address, port, tls, server_name))
        await asyncio.sleep(0)
        if failure := self.failures.get(address):
            raise failure
        protocol = factory()
        transport = FakeTransport(protocol, self.peer(address))
        transport.react = self._react
        self.transports.append(transport)
        return transport, protocol

    def _react(self, transport: FakeTransport) -> None:
        step = self.steps.pop(0) if self.steps else OK
        if callable(step):
            step(transport)
        elif step is None:
            transport.end()
        else:
            transport.receive(step)

    @property
    def written(self) -> list[bytes]:
        """All requests, by connection."""
        return [each for transport in self.transports for each in transport.written]


def hang(_transport: FakeTransport) -> None:
    """React to a request with silence."""


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    """Run a scenario to its end."""
    return asyncio.run(asyncio.wait_for(scenario, SECONDS_MAX))


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Return a test that runs this one in an event loop."""

    @functools.wraps(test)
    def run_test(*arguments: Any, **named: Any) -> None:
        run(test(*arguments, **named))

    return run_test


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; the timeout of the scenario ends it."""
    while not holds():  # noqa: ASYNC110 - a condition has no event.
        await asyncio.sleep(0.001)


@asynccontextmanager
async def egress_on(network: FakeNetwork, **options: Any) -> AsyncIterator[Egress]:
    """Yield an egress client on this network, with a policy that allows private addresses."""
    policy = options.pop("policy", EgressPolicy(allow_private=True))
    async with Egress(policy, connect=network.connect, random=ZeroRandom(), **options) as egress:
        yield egress


async def post(egress: Egress, url: str = HOOK, **changes: Any) -> OutboundResponse:
    """Send a request with these changes."""
    values: dict[str, Any] = {"method": "POST", "headers": {}, "body": b"a=b", "timeout_ms": 3000}
    return await egress.send(OutboundRequest(url=prepare_url(url), **(values | changes)))


async def failure_of(egress: Egress, url: str = HOOK, **changes: Any) -> tuple[str, int, str]:
    """Return kind, code and detail of the failure of a request."""
    with pytest.raises(EgressFailed) as caught:
        await post(egress, url, **changes)
    return caught.value.kind, caught.value.code, caught.value.detail
