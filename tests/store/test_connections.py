"""Connections to PostgreSQL: the primary among several hosts, and no waiting without an end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import asyncpg
import pytest

from parlour.store.postgres.connections import ConnectionPool, Hosts, urls_of_hosts
from parlour.store.transaction import Unavailable
from parlour.vocabulary import limits
from tests.support.postgres_server import Postgres, shared
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENT_MS = 300
PORT = "SHOW port"

# A standby takes long to make: one for all tests here.
pytestmark = pytest.mark.xdist_group("standby")


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("postgresql://u@h/d", ["postgresql://u@h/d"]),
        ("postgres://h1,h2", ["postgres://h1", "postgres://h2"]),
        (
            "postgresql://u:p%40@h1:1,h2:2/d?target_session_attrs=read-write&x=a,b",
            [
                "postgresql://u:p%40@h1:1/d?target_session_attrs=read-write&x=a,b",
                "postgresql://u:p%40@h2:2/d?target_session_attrs=read-write&x=a,b",
            ],
        ),
        ("postgresql://u@[::1]:5,[::2]/d", ["postgresql://u@[::1]:5/d", "postgresql://u@[::2]/d"]),
        ("postgresql:///d?host=/tmp", ["postgresql:///d?host=/tmp"]),
        ("no URL at all", ["no URL at all"]),
    ],
)
def test_url_of_several_hosts_becomes_one_url_per_host(url: str, urls: list[str]) -> None:
    assert urls_of_hosts(url) == urls


@pytest.fixture(scope="module")
def standby() -> Iterator[Postgres]:
    """A standby of the shared server."""
    with Postgres(copy_of=shared()) as running:
        yield running


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[TcpProxy]:
    """A host that accepts connections and sends nothing, and little patience."""
    monkeypatch.setattr(limits, "STORE_CONNECT_MS_MAX", SILENT_MS)
    with TcpProxy(shared().port) as wire:
        wire.black_hole()
        yield wire


def url_of(*ports: int) -> str:
    """The shared server's own database at some ports."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"{shared().url().partition('@')[0]}@{hosts}/postgres"


async def port_behind(hosts: Hosts) -> str:
    """Which server a new connection is to."""
    connection = await hosts.connect()
    found: str = await connection.fetchval(PORT)
    await connection.close()
    return found


def test_connect_skips_a_standby(standby: Postgres) -> None:
    hosts = Hosts(url_of(standby.port, shared().port))
    assert asyncio.run(port_behind(hosts)) == str(shared().port)


def test_connect_without_a_primary_raises_the_error_of_the_standby(standby: Postgres) -> None:
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        asyncio.run(Hosts(url_of(standby.port, 9)).connect())


def test_unresponsive_host_has_its_own_timeout_and_is_tried_last(silent: TcpProxy) -> None:
    hosts = Hosts(url_of(silent.port, shared().port))

    async def twice() -> list[float]:
        took = []
        for _ in range(2):
            begun = time.monotonic()
            assert await port_behind(hosts) == str(shared().port)
            took.append(time.monotonic() - begun)
        return took

    first, second = asyncio.run(twice())
    assert first >= SILENT_MS / 1000
    assert second < first


def test_acquire_times_out_while_all_connections_are_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "STORE_TRANSACTION_MS_MAX", 100)

    async def scenario() -> None:
        connections = ConnectionPool(shared().url(), 1)
        held = await connections.acquire()
        with pytest.raises(Unavailable, match="no connection came free"):
            await connections.acquire()
        # Who gave up is passed over when there is one again.
        waiting = asyncio.create_task(connections.acquire())
        await asyncio.sleep(0)
        connections.release(held)
        assert await waiting is held
        connections.release(held)
        await connections.close()

    asyncio.run(scenario())
