"""Online users over several nodes, and after one of the nodes has failed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.resources.users import presence as user_presence
from parlour.resources.users import store as user_store
from tests.events.in_process_server import InProcessServer, poll_until
from tests.realtime.client_listener import ClientListener

if TYPE_CHECKING:
    from pathlib import Path


async def reachable(instance: InProcessServer) -> None:
    """Enable reachability, and create alice."""
    await instance.do(
        "UpdateServiceConfiguration",
        {"ReachabilityEnabled": "true"},
        ChatServiceSid=instance.scope.service_sid,
    )
    await instance.do("CreateUser", {"Identity": "alice"})


async def is_online(instance: InProcessServer) -> bool:
    """Return whether alice is recorded as online."""
    found = await instance.store.read(
        lambda tx: user_store.find_user_by_identity(tx, instance.scope, "alice")
    )
    assert found is not None
    return bool(found.is_online)


async def note(instance: InProcessServer, node: str, *, is_connected: bool) -> None:
    """Return a node's record of alice."""
    await instance.store.write(
        lambda tx: user_presence.record_connection(
            tx, instance.scope, "alice", node, is_connected=is_connected
        )
    )


def test_a_user_is_online_while_any_node_holds_a_connection(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with InProcessServer(tmp_path) as instance:
            await reachable(instance)
            await note(instance, "one", is_connected=True)
            await note(instance, "two", is_connected=True)
            await note(instance, "one", is_connected=False)
            assert await is_online(instance)
            await note(instance, "two", is_connected=False)
            assert not await is_online(instance)

    asyncio.run(scenario())


def test_users_of_an_unresponsive_node_go_offline(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with InProcessServer(tmp_path) as instance:
            await reachable(instance)
            await instance.store.write(
                lambda tx: user_presence.renew_node(tx, "silent", is_only=False)
            )
            await note(instance, "silent", is_connected=True)
            await instance.store.write(
                lambda tx: tx.run(user_presence.EXPIRE_OTHER_NODES, "nobody")
            )
            instance.app.scheduler.wake()

            async def is_gone() -> bool:
                return not await is_online(instance)

            await poll_until(is_gone)

    asyncio.run(scenario())


# In a cluster, the other nodes wait until this one counts as failed.
@pytest.mark.embedded
def test_users_online_at_a_crash_are_offline_after_the_start(tmp_path: Path) -> None:
    async def crash() -> None:
        async with InProcessServer(tmp_path) as instance:
            await reachable(instance)
            await instance.store.write(
                lambda tx: user_presence.renew_node(tx, "crashed", is_only=False)
            )
            await note(instance, "crashed", is_connected=True)
            assert await is_online(instance)

    async def restart() -> None:
        async with InProcessServer(tmp_path) as instance:

            async def is_gone() -> bool:
                return not await is_online(instance)

            await poll_until(is_gone)
            user = await instance.do("FetchUser", Sid="alice")
            listener = ClientListener(instance, "alice", user.sid)
            await listener.connect()
            await poll_until(lambda: is_online(instance))

    asyncio.run(crash())
    asyncio.run(restart())
