"""Settlements: with receivers that respond late, call the API, or never respond."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from tests.events.in_process_server import ACCOUNT_SID, WITH_HEADER, InProcessServer
from tests.events.webhook_backend import OK, WebhookBackend

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.testmode.settlement.settler import Settlement
    from parlour.testmode.wiring import TestMode
    from tests.events.webhook_backend import WebhookRequest

DEPTH = 3
OTHER_SID = "AC" + "9" * 32
OUTCOMES = "SELECT outcome FROM webhook_attempt"


def mode_of(server: InProcessServer) -> TestMode:
    """Return the test functions of a server."""
    assert server.app.test_mode is not None
    return server.app.test_mode


async def settle(server: InProcessServer, timeout_ms: int = 10_000) -> Settlement:
    """Wait for the end of all work."""
    return await mode_of(server).settler.settle(timeout_ms)


def test_a_late_response_is_awaited(tmp_path: Path) -> None:
    async def late(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(OK)

    async def run() -> None:
        async with WebhookBackend() as backend, InProcessServer(tmp_path, test=True) as server:
            backend.responders["/post"] = late
            await server.enable_webhooks(backend, PreWebhookUrl="")
            await server.do("CreateConversation", origin=WITH_HEADER)
            result = await settle(server)
            outcomes = await server.store.read(lambda tx: tx.all(OUTCOMES))
        assert result.settled
        assert result.elapsed_ms >= 50
        assert backend.events_sent_to("/post") == ["onConversationAdded"]
        assert outcomes == [("delivered",)]

    asyncio.run(run())


def test_a_receiver_that_calls_the_api_is_awaited_until_its_last_call(tmp_path: Path) -> None:
    async def run() -> None:
        async with WebhookBackend() as backend, InProcessServer(tmp_path, test=True) as server:
            conversation = await server.do("CreateConversation")

            async def call_back(request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
                level = len(request.values["Body"])
                if level < DEPTH:
                    await server.send_message(conversation.sid, "m" * (level + 1), WITH_HEADER)
                writer.write(OK)

            backend.responders["/post"] = call_back
            await server.enable_webhooks(backend, PreWebhookUrl="", Filters=["onMessageAdded"])
            await server.send_message(conversation.sid, "m", WITH_HEADER)
            result = await settle(server)
            bodies = [request.values["Body"] for request in backend.requests_to("/post")]
        assert result.settled
        assert bodies == ["m", "mm", "mmm"]

    asyncio.run(run())


def hang(backend: WebhookBackend) -> asyncio.Event:
    """Let the receiver respond only once the returned event is set."""
    released = asyncio.Event()

    async def respond(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.write(OK)

    backend.responders["/post"] = respond
    return released


def test_a_receiver_that_never_responds_is_named_with_its_time(tmp_path: Path) -> None:
    async def run() -> None:
        async with WebhookBackend() as backend, InProcessServer(tmp_path, test=True) as server:
            released = hang(backend)
            await server.enable_webhooks(backend, PreWebhookUrl="")
            await server.do("CreateConversation", origin=WITH_HEADER)
            result = await settle(server, timeout_ms=150)
            released.set()
            later = await settle(server)
        assert later.settled
        assert not result.settled
        assert len(result.waiting_for) == 1
        assert re.fullmatch(
            rf"webhook POST {re.escape(backend.url('/post'))}, \d\.\d s", result.waiting_for[0]
        )

    asyncio.run(run())


def test_work_for_another_account_is_not_awaited(tmp_path: Path) -> None:
    async def run() -> None:
        async with WebhookBackend() as backend, InProcessServer(tmp_path, test=True) as server:
            released = hang(backend)
            await server.enable_webhooks(backend, PreWebhookUrl="")
            await server.do("CreateConversation", origin=WITH_HEADER)
            settler = mode_of(server).settler
            own = await settler.settle(50, ACCOUNT_SID)
            other = await settler.settle(50, OTHER_SID)
            released.set()
        assert not own.settled
        assert other.settled

    asyncio.run(run())
