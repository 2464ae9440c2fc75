"""Slots of outbound requests: of one target, and of all targets together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.egress.client import Egress, EgressFailed
from parlour.vocabulary import limits
from tests.security.scripted_receiver import (
    NEARBY,
    OK,
    ScriptedReceiver,
    hang,
    post,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable


def test_a_hanging_target_uses_only_its_own_slots(run: Any) -> None:
    """The requests hang until the test ends them, so that no timeout depends on the machine."""
    most = limits.OUTBOUND_REQUESTS_PER_TARGET_MAX

    async def ask() -> None:
        is_released, hung = asyncio.Event(), asyncio.Semaphore(0)

        async def until_released(writer: asyncio.StreamWriter) -> None:
            hung.release()
            await is_released.wait()
            writer.write(OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

        async with (
            ScriptedReceiver(until_released) as hanging,
            ScriptedReceiver(OK) as well,
            Egress(NEARBY) as egress,
            asyncio.timeout(60),
        ):
            sends = [post(egress, hanging.url, timeout_ms=60_000) for _ in range(most)]
            waiting = [asyncio.create_task(each) for each in sends]
            for _ in range(most):
                await hung.acquire()
            more = [post(egress, hanging.url, slot_wait_ms_max=50) for _ in range(5)]
            # A request without a slot did not fail at the receiver, and gets a distinct error.
            assert await kinds_of(*more) == ["busy"] * 5
            assert (await post(egress, well.url, timeout_ms=60_000)).status == 200
            assert not any(each.done() for each in waiting)
            is_released.set()
            assert [each.status for each in await asyncio.gather(*waiting)] == [200] * most
            assert hanging.connections == most
            assert egress._targets.keys() == {("http", "127.0.0.1", well.port)}

    run(ask())


def test_requests_that_time_out_return_the_slots_of_their_target(run: Any) -> None:
    most = limits.OUTBOUND_REQUESTS_PER_TARGET_MAX

    async def ask() -> None:
        async with ScriptedReceiver(hang) as hanging, Egress(NEARBY) as egress:
            for _ in range(2):
                waiting = [post(egress, hanging.url, timeout_ms=50) for _ in range(most)]
                assert await kinds_of(*waiting) == ["timeout"] * most
            assert egress._targets == {}

    run(ask())


async def kinds_of(*requests: Awaitable[object]) -> list[str]:
    """Return how requests failed."""
    ended = await asyncio.gather(*requests, return_exceptions=True)
    return [each.kind if isinstance(each, EgressFailed) else repr(each) for each in ended]


def test_all_targets_together_have_a_limit(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTBOUND_REQUESTS_MAX", 2)

    async def ask() -> None:
        async with (
            ScriptedReceiver(hang) as hanging,
            ScriptedReceiver(OK) as well,
            Egress(NEARBY) as egress,
        ):
            waiting = [
                asyncio.create_task(post(egress, hanging.url, timeout_ms=1000)) for _ in range(2)
            ]
            await asyncio.sleep(0.05)
            with pytest.raises(EgressFailed) as caught:
                await post(egress, well.url, slot_wait_ms_max=50)
            assert caught.value.kind == "busy"
            await asyncio.gather(*waiting, return_exceptions=True)
            assert (await post(egress, well.url)).status == 200

    run(ask())


def test_waiting_for_a_turn_is_not_the_receivers_time(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OUTBOUND_REQUESTS_PER_TARGET_MAX", 1)

    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(OK)

    async def ask() -> None:
        async with ScriptedReceiver(slow) as receiver, Egress(NEARBY) as egress:
            answers = await asyncio.gather(
                *(post(egress, receiver.url, timeout_ms=1000) for _ in range(4))
            )
            assert [answer.status for answer in answers] == [200] * 4
            assert all(answer.elapsed_ms < 1000 for answer in answers)
            assert receiver.connections == 1

    run(ask())


def test_a_request_that_is_cancelled_gives_its_turn_back(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(hang) as hanging, Egress(NEARBY) as egress:
            waiting = asyncio.create_task(post(egress, hanging.url))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await asyncio.sleep(0.05)
            assert (egress._open, egress._targets) == (set(), {})

    run(ask())
