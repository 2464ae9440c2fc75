"""Egress: idle connections are reused by target, replaced, and bounded in number and time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.vocabulary import limits
from tests.unit.egress.network import (
    HOOK,
    OK,
    FakeNetwork,
    egress_on,
    failure_of,
    hang,
    in_loop,
    post,
    until,
)

if TYPE_CHECKING:
    import pytest

    from tests.unit.egress.network import FakeTransport

CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


@in_loop
async def test_a_connection_is_used_again_for_its_scheme_host_and_port_only() -> None:
    network = FakeNetwork()
    async with egress_on(network) as egress:
        for url in (HOOK, HOOK, "http://10.0.0.1/other", "http://10.0.0.1:81/"):
            await post(egress, url)
        assert [len(each.written) for each in network.transports] == [3, 1]
        assert egress._idle_count == 2
    assert all(each.is_aborted for each in network.transports)
    assert egress._open == set()


@in_loop
async def test_a_connection_that_must_not_be_reused_is_closed() -> None:
    network = FakeNetwork(CLOSING)
    async with egress_on(network) as egress:
        await post(egress)
        assert network.transports[0].is_aborted
        assert (egress._idle_count, egress._targets) == (0, {})
        await post(egress)
        assert len(network.transports) == 2


@in_loop
async def test_an_idle_connection_that_was_closed_is_replaced() -> None:
    network = FakeNetwork()
    async with egress_on(network) as egress:
        await post(egress)
        network.transports[0].end()
        await post(egress)
        assert len(network.transports) == 2
        assert egress._idle_count == 1


@in_loop
async def test_a_request_on_a_stale_connection_is_repeated_once_on_a_new_one() -> None:
    network = FakeNetwork(OK, None, OK, None, None)
    async with egress_on(network) as egress:
        await post(egress)
        assert (await post(egress)).status == 200
        assert len(network.transports) == 2
        failure = await failure_of(egress)
        assert failure == ("connect", 11205, "closed without an answer")
        assert [len(each.written) for each in network.transports] == [2, 2, 1]


@in_loop
async def test_an_old_connection_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network = FakeNetwork()
    async with egress_on(network) as egress:
        await post(egress)
        monkeypatch.setattr(limits, "CONNECTION_AGE_MS_MAX", 0)
        await post(egress)
        assert network.transports[0].is_aborted
        assert len(network.transports) == 2


@in_loop
async def test_idle_connections_are_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDLE_CONNECTION_MS_MAX", 40)
    network = FakeNetwork()
    async with egress_on(network) as egress:
        await post(egress)
        await asyncio.sleep(0.02)
        await post(egress, "http://10.0.0.1:81/")
        first, second = network.transports
        await until(lambda: first.is_aborted)
        assert not second.is_aborted
        await until(lambda: second.is_aborted)
        assert (egress._idle_count, egress._idle_of, egress._targets) == (0, {}, {})
        assert egress._sweeper is None


@in_loop
async def test_the_sweep_closes_unusable_connections_and_keeps_targets_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "IDLE_CONNECTION_MS_MAX", 20)
    network = FakeNetwork(OK, hang)
    async with egress_on(network) as egress:
        await post(egress)
        hanging = asyncio.create_task(post(egress, "http://10.0.0.1:81/"))
        await until(lambda: len(network.written) == 2)
        network.transports[0].end()
        await until(lambda: egress._sweeper is None)
        assert list(egress._targets) == [("http", "10.0.0.1", 81)]
        network.transports[1].receive(OK)
        assert (await hanging).status == 200
        assert egress._sweeper is not None


@in_loop
async def test_the_account_with_the_most_idle_connections_gives_one_to_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "IDLE_CONNECTIONS_MAX", 3)
    network = FakeNetwork()
    async with egress_on(network) as egress:
        for port in (81, 82, 83):
            await post(egress, f"http://10.0.0.1:{port}/", account_sid="A")
        await post(egress, "http://10.0.0.1:84/", account_sid="B")
        assert egress._idle_of == {"A": 2, "B": 1}
        assert [each.is_aborted for each in network.transports] == [True, False, False, False]
        assert ("http", "10.0.0.1", 81) not in egress._targets
        await post(egress, "http://10.0.0.1:85/", account_sid="B")
        await post(egress, "http://10.0.0.1:86/", account_sid="A")
        assert egress._idle_of == {"A": 2, "B": 1}
        assert egress._idle_count == 3


@in_loop
async def test_of_a_shared_target_the_connection_of_the_right_account_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "IDLE_CONNECTIONS_MAX", 3)
    steps: list[FakeTransport] = []
    network = FakeNetwork(*[steps.append] * 3)
    async with egress_on(network) as egress:
        asking = [
            asyncio.create_task(post(egress, url, account_sid=account))
            for url, account in ((HOOK, "B"), ("http://10.0.0.1:81/", "A"), (HOOK, "A"))
        ]
        await until(lambda: len(steps) == 3)
        for transport in network.transports:
            transport.receive(OK)
        await asyncio.gather(*asking)
        assert egress._idle_of == {"A": 2, "B": 1}
        await post(egress, "http://10.0.0.1:82/", account_sid="C")
        assert egress._idle_of == {"A": 1, "B": 1, "C": 1}
