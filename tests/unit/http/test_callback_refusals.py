"""Rejections of callbacks with a wrong signature: at once, delayed, or with a closed connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.http.callback_refusals import CallbackRefusals
from parlour.http.client_addresses import ClientAddresses
from parlour.http.messages import Request
from parlour.protocol.header_block import HeaderBlock
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.errors import ApiError
from tests.support.in_process_requests import RecordedExchange

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from parlour.http.messages import Response


class CallbackPeers:
    """Refusals for requests of any peer."""

    def __init__(self) -> None:
        self.refusals = CallbackRefusals(ClientAddresses("127.0.0.1"), FakeClock(), b"salt")

    def refuse(self, peer: str = "192.0.2.1", carrier: str = "main") -> Awaitable[Response]:
        """Refuse a callback that a trusted proxy forwards."""
        block = HeaderBlock({b"x-forwarded-for": peer.encode()})
        request = Request("POST", "/", b"", block, RecordedExchange())
        return self.refusals.refuse(request, carrier, ApiError(20403))

    async def throttle(self, peer: str = "192.0.2.1") -> None:
        """Refuse as many callbacks as are refused at once."""
        for _ in range(limits.LOGIN_FAILURES_MAX):
            async with asyncio.timeout(0.1):
                response = await self.refuse(peer)
            assert (response.status, response.closes) == (403, False)

    def figures(self) -> dict[str, float]:
        """Return the metrics."""
        return {each.name: each.samples[0].value for each in self.refusals.metrics()}


def test_failures_beyond_the_limit_are_delayed_and_other_pairs_are_not() -> None:
    async def run() -> None:
        peers = CallbackPeers()
        await peers.throttle()
        delayed = asyncio.ensure_future(peers.refuse())
        await asyncio.sleep(0)
        started = asyncio.get_running_loop().time()
        await peers.refuse("192.0.2.2")
        await peers.refuse(carrier="second")
        assert peers.figures()["parlour_carrier_callbacks_held"] == 1
        assert not delayed.done()
        response = await delayed
        took_ms = 1000 * (asyncio.get_running_loop().time() - started)
        assert took_ms > 0.9 * limits.LOGIN_DELAY_MS
        assert (response.status, response.closes) == (403, False)
        assert peers.figures() == {
            "parlour_carrier_callbacks_refused": limits.LOGIN_FAILURES_MAX + 3,
            "parlour_carrier_callbacks_held": 0,
        }

    asyncio.run(run())


def test_without_a_free_slot_the_refusal_closes_the_connection_at_once() -> None:
    async def run() -> None:
        peers = CallbackPeers()
        await peers.throttle()
        held = [
            asyncio.ensure_future(peers.refuse()) for _ in range(limits.LOGINS_HELD_PER_PAIR_MAX)
        ]
        await asyncio.sleep(0)
        flooded = await peers.refuse()
        assert (flooded.status, flooded.closes) == (403, True)
        assert not any(each.done() for each in held)
        for each in held:
            each.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        assert peers.figures()["parlour_carrier_callbacks_held"] == 0

    asyncio.run(run())
