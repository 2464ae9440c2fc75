"""Who is online over several nodes, and after one of them is gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.resources.users import presence as user_presence
from parlour.resources.users import store as user_store
from tests.events.in_process_server import House, until_read
from tests.realtime.client_listener import Ear

if TYPE_CHECKING:
    from pathlib import Path


async def reachable(house: House) -> None:
    """Show who is online, and make alice."""
    await house.do(
        "UpdateServiceConfiguration",
        {"ReachabilityEnabled": "true"},
        ChatServiceSid=house.scope.service_sid,
    )
    await house.do("CreateUser", {"Identity": "alice"})


async def is_online(house: House) -> bool:
    """Whether alice is noted as online."""
    found = await house.store.read(
        lambda tx: user_store.find_user_by_identity(tx, house.scope, "alice")
    )
    assert found is not None
    return bool(found.is_online)


async def note(house: House, node: str, *, is_connected: bool) -> None:
    """What a node notes of alice."""
    await house.store.write(
        lambda tx: user_presence.record_connection(
            tx, house.scope, "alice", node, is_connected=is_connected
        )
    )


def test_a_user_is_online_while_any_node_holds_a_connection(tmp_path: Path) -> None:
    async def scene() -> None:
        async with House(tmp_path) as house:
            await reachable(house)
            await note(house, "one", is_connected=True)
            await note(house, "two", is_connected=True)
            await note(house, "one", is_connected=False)
            assert await is_online(house)
            await note(house, "two", is_connected=False)
            assert not await is_online(house)

    asyncio.run(scene())


def test_the_users_of_a_node_that_falls_silent_are_gone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with House(tmp_path) as house:
            await reachable(house)
            await house.store.write(
                lambda tx: user_presence.renew_node(tx, "silent", is_only=False)
            )
            await note(house, "silent", is_connected=True)
            await house.store.write(lambda tx: tx.run(user_presence.EXPIRE_OTHER_NODES, "nobody"))
            house.app.scheduler.wake()

            async def is_gone() -> bool:
                return not await is_online(house)

            await until_read(is_gone)

    asyncio.run(scene())


# Where nodes are several, the others wait until this one counts as gone.
@pytest.mark.embedded
def test_whoever_was_online_at_a_crash_is_gone_after_the_start(tmp_path: Path) -> None:
    async def crash() -> None:
        async with House(tmp_path) as house:
            await reachable(house)
            await house.store.write(
                lambda tx: user_presence.renew_node(tx, "crashed", is_only=False)
            )
            await note(house, "crashed", is_connected=True)
            assert await is_online(house)

    async def restart() -> None:
        async with House(tmp_path) as house:

            async def is_gone() -> bool:
                return not await is_online(house)

            await until_read(is_gone)
            user = await house.do("FetchUser", Sid="alice")
            ear = Ear(house, "alice", user.sid)
            await ear.enter()
            await until_read(lambda: is_online(house))

    asyncio.run(crash())
    asyncio.run(restart())
