"""Brings the work for some accounts to rest, while their rows are removed or replaced.

The order, in which each step may still cause work for the next:

1. Requests that come later are held at the gate; those in progress have `DRAIN_SECONDS` to end.
2. Pre-action webhooks are aborted: the changes that wait for them fail.
3. Connections of client SDKs are closed.
4. Jobs, inbound messages and conversations that are completed in the background are stopped.
5. Sinks are paused between two events, webhooks and carriers between two results; requests in
   flight have `FLIGHT_SECONDS` to end and are cancelled then.

At the end nothing in memory holds a change of these accounts that is not in the store. Work of
other accounts in steps 1 to 4 runs on; step 5 delays it until the rows are replaced.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from parlour.realtime import disconnects
from parlour.resources.accounts import store as account_store
from parlour.testmode.reset.gate import ResetGate
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from parlour.testmode.wiring import ServerHandles

DRAIN_SECONDS: Final = 1.0
FLIGHT_SECONDS: Final = 0.05
_FLUSH_SECONDS: Final = 0.2
_POLL_SECONDS: Final = 0.001


def selection_of(account_sid: str | None) -> Callable[[str], bool]:
    """Return a function that selects one account, or all for None."""
    if account_sid is None:
        return lambda _any: True
    return lambda each: each == account_sid


class Quiescence:
    """Brings the work for an account, or for all, to rest: one at a time."""

    def __init__(self, parts: ServerHandles) -> None:
        self._parts = parts
        self._gate = ResetGate()
        self._lock = asyncio.Lock()
        self._queued: Counter[str | None] = Counter()
        """Requests that wait for the lock, by the account that they stop; None: all accounts."""
        parts.pipeline.gate = self._pass_gate

    async def _pass_gate(self, account_sid: str) -> None:
        """Hold a request during a reset. Raises 20003 if its account was removed by it."""
        if await self._gate.wait(account_sid):
            scope = Scope(account_sid)
            found = await self._parts.store.read(lambda tx: account_store.find_account(tx, scope))
            if found is None:
                raise ApiError(20003)

    @asynccontextmanager
    async def stopped(self, account_sid: str | None, own_requests: int) -> AsyncIterator[None]:
        """Run the block while nothing is done for an account, or for any.

        ``own_requests``: how many requests of the account in progress are the caller's.
        """
        parts, accounts = self._parts, selection_of(account_sid)
        async with self._turn(account_sid, own_requests):
            with self._gate.closed(accounts):
                parts.waiting_lists.end_of(accounts)
                await self._drain(account_sid, own_requests, DRAIN_SECONDS)
                parts.pre_action_hook.abort(accounts)
                await parts.realtime.disconnect(accounts, disconnects.RESET, _FLUSH_SECONDS)
                await self._drain(account_sid, own_requests, FLIGHT_SECONDS)
                async with AsyncExitStack() as stack:
                    await stack.enter_async_context(parts.scheduler.stepping)
                    await parts.background_create.drop(accounts)
                    await parts.channels.inbound.drop(accounts)
                    await self._pause(stack, accounts)
                    yield

    @asynccontextmanager
    async def paused(self, account_sid: str | None, own_requests: int) -> AsyncIterator[None]:
        """Run the block between two changes of an account, without ending any work of it."""
        parts, accounts = self._parts, selection_of(account_sid)
        async with self._turn(account_sid, own_requests):
            with self._gate.closed(accounts):
                await self._drain(account_sid, own_requests, DRAIN_SECONDS)
                async with parts.scheduler.stepping, parts.dispatcher.paused():
                    await parts.dispatcher.catch_up()
                    await self._finish_flights(accounts)
                    yield

    @asynccontextmanager
    async def _turn(self, account_sid: str | None, own_requests: int) -> AsyncIterator[None]:
        """Run the block alone. Requests that wait for their turn do not delay the present one."""
        self._queued[account_sid] += own_requests
        try:
            await self._lock.acquire()
        finally:
            self._queued[account_sid] -= own_requests
            self._queued = +self._queued
        try:
            yield
        finally:
            self._lock.release()

    async def _pause(self, stack: AsyncExitStack, accounts: Callable[[str], bool]) -> None:
        """Stop sinks, webhooks and carriers until the stack is left."""
        parts = self._parts
        await stack.enter_async_context(parts.dispatcher.paused())
        await stack.enter_async_context(parts.webhooks.quiesced(accounts, FLIGHT_SECONDS))
        await stack.enter_async_context(parts.channels.outbox.quiesced(accounts, FLIGHT_SECONDS))

    async def _finish_flights(self, accounts: Callable[[str], bool]) -> None:
        """Wait for webhooks and messages in flight and their results, for a limited time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _FLUSH_SECONDS
        parts = self._parts
        while loop.time() < until:
            works = (*parts.webhooks.open_work(), *parts.channels.outbox.open_work())
            if not any(accounts(each.account_sid) for each in works):
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _drain(self, account_sid: str | None, own_requests: int, seconds: float) -> None:
        """Wait for the requests in progress that are not held at the gate, at most so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self._running(account_sid) > own_requests and loop.time() < until:  # noqa: ASYNC110
            # Polled, so that requests without a test function wait for nothing at their end.
            await asyncio.sleep(_POLL_SECONDS)

    def _running(self, account_sid: str | None) -> int:
        admission = self._parts.admission
        running = admission.running if account_sid is None else admission.running_of(account_sid)
        queued = self._queued.total() if account_sid is None else self._queued[account_sid]
        return running - self._gate.waiting(account_sid) - queued
