"""Several nodes on one database accept messages of one pair: one conversation, in one order."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.events.in_process_server import ACCOUNT_SID, InProcessServer
from tests.events.inbound_setup import PHONE, SERVICE, InboundSetup, text_message
from tests.events.webhook_backend import WebhookBackend
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

KEY = "parlour.key"
MEDIA = "media"


def run_on_nodes(folder: Path, scenario: Callable[[list[InboundSetup]], Awaitable[None]]) -> None:
    """Run a scenario on two nodes with one database, key and media folder."""
    database = shared().make_migrated_database()

    async def run() -> None:
        async with AsyncExitStack() as stack:
            backend = await stack.enter_async_context(WebhookBackend())
            nodes = []
            for name in ("one", "other"):
                data = folder / name
                if nodes:
                    data.mkdir()
                    shutil.copy(folder / "one" / KEY, data / KEY)
                    (data / MEDIA).symlink_to(folder / "one" / MEDIA)
                server = InProcessServer(data, database=database)
                nodes.append(InboundSetup(await stack.enter_async_context(server), backend))
            form = {"DefaultMessagingServiceSid": SERVICE}
            await nodes[0].instance.do("UpdateConfiguration", {**form})
            await scenario(nodes)

    asyncio.run(run())


@pytest.mark.channel("5.3", "C24")
def test_parallel_first_messages_on_two_nodes_create_one_conversation(tmp_path: Path) -> None:
    async def scenario(nodes: list[InboundSetup]) -> None:
        await nodes[0].configure()
        await nodes[0].listen()
        for phone in range(8):
            sender = f"+1555867{6000 + phone}"
            results = await asyncio.gather(
                *(node.receive(text_message(sender=sender)) for node in nodes for _ in range(2))
            )
            assert len({each.conversation_sid for each in results}) == 1
            assert sorted(each.outcome for each in results) == [
                "auto_created",
                *["conversation"] * 3,
            ]
            assert len({each.message_sid for each in results}) == 4
        assert len(await nodes[0].conversations()) == 8

    run_on_nodes(tmp_path, scenario)


def test_messages_accepted_on_alternating_nodes_keep_their_order(tmp_path: Path) -> None:
    async def scenario(nodes: list[InboundSetup]) -> None:
        conversation = await nodes[0].converse()
        await nodes[0].listen()  # Pre-action webhooks let the nodes overlap.
        keys = [
            await nodes[number % 2].accept(text_message(str(number), sender=PHONE))
            for number in range(20)
        ]
        for number, key in enumerate(keys):
            assert (await nodes[1 - number % 2].inbound.outcome(key)).outcome == "conversation"
        bodies = [each.body for each in await nodes[0].messages(conversation.sid)]
        assert bodies == [str(number) for number in range(20)]
        # Each was asked once: no two nodes process one message.
        asked = [each.values["Body"] for each in nodes[0].backend.requests if each.path == "/pre"]
        assert asked == bodies

    run_on_nodes(tmp_path, scenario)


def test_a_redelivery_on_the_other_node_is_recognised(tmp_path: Path) -> None:
    async def scenario(nodes: list[InboundSetup]) -> None:
        conversation = await nodes[0].converse()
        for number in range(10):
            message = text_message(str(number))
            await asyncio.gather(*(node.receive(message) for node in nodes))
        assert len(await nodes[0].messages(conversation.sid)) == 10
        assert {key.account_sid for key in [await nodes[0].accept(message)]} == {ACCOUNT_SID}

    run_on_nodes(tmp_path, scenario)
