"""Work that waits for a webhook that does not respond: it ends with a reset, without any effect."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.events.webhook_backend import WebhookBackend, hang
from tests.testmode.rest_server import RestAccount, RestServer, in_server
from tests.testmode.test_resets import RESET, counts

if TYPE_CHECKING:
    from pathlib import Path

PHONE = "/parlour/v1/VirtualPhones/%2B15550100"


async def hang_before(account: RestAccount, backend: WebhookBackend, event: str) -> None:
    """Enable a pre-action webhook that does not respond."""
    backend.responders["/pre"] = hang
    form = {"PreWebhookUrl": backend.url("/pre"), "Filters": event, "Method": "POST"}
    (await account.send("POST", "/v1/Configuration/Webhooks", form)).expect(200)


async def arrived(backend: WebhookBackend) -> None:
    """Wait for the first request."""
    while not backend.requests:  # noqa: ASYNC110 - the recorder has no event.
        await asyncio.sleep(0.001)


async def assert_reset_ends_it(server: RestServer, account: RestAccount, fresh: object) -> None:
    """Reset the account; it is then as a new one, and remains so for a day."""
    started = time.monotonic()
    (await account.post(RESET)).expect(200)
    assert time.monotonic() - started < 4  # A webhook has five seconds.
    (await account.post("/parlour/v1/Settle")).expect(200)
    (await account.post("/parlour/v1/Clock/Advance", By="P1D")).expect(200)
    found = await counts(server, account.login)
    found.pop("event", None)
    assert found == fresh


async def fresh_counts(server: RestServer, account: RestAccount) -> object:
    """Return the rows of a new account, without its events."""
    found = await counts(server, account.login)
    found.pop("event")
    return found


def test_a_request_that_waits_for_a_pre_action_webhook_is_refused(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        account = await server.new_account()
        fresh = await fresh_counts(server, account)
        async with WebhookBackend() as backend:
            await hang_before(account, backend, "onConversationAdd")
            waiting = asyncio.create_task(account.post("/v1/Conversations", UniqueName="x"))
            await arrived(backend)

            await assert_reset_ends_it(server, account, fresh)

            answer = await waiting
            assert (answer.status, answer.json["code"]) == (503, 20503)

    in_server(tmp_path, scene)


def test_a_conversation_that_is_completed_in_the_background_is_gone(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        account = await server.new_account()
        fresh = await fresh_counts(server, account)
        async with WebhookBackend() as backend:
            await hang_before(account, backend, "onParticipantAdd")
            made = await account.post(
                "/v1/ConversationWithParticipants", Participant='{"identity": "alice"}'
            )
            assert made.status == 202
            await arrived(backend)

            await assert_reset_ends_it(server, account, fresh)

    in_server(tmp_path, scene)


def test_an_inbound_message_that_waits_for_a_pre_action_webhook_is_gone(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        account = await server.new_account()
        fresh = await fresh_counts(server, account)
        async with WebhookBackend() as backend:
            made = await account.make("/v1/Conversations", UniqueName="x")
            await account.make(
                f"/v1/Conversations/{made['sid']}/Participants",
                MessagingBinding__Address="+15550100",
                MessagingBinding__ProxyAddress="+15550999",
            )
            await hang_before(account, backend, "onMessageAdd")
            sending = asyncio.create_task(
                account.send("POST", f"{PHONE}/Messages", {"To": "+15550999", "Body": "hello"})
            )
            await arrived(backend)

            await assert_reset_ends_it(server, account, fresh)

            assert (await sending).status == 503

    in_server(tmp_path, scene)


@pytest.mark.parametrize("scope", ["account", "server"])
def test_a_webhook_in_flight_is_cut_off(tmp_path: Path, scope: str) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        async with WebhookBackend() as backend:
            backend.responders["/post"] = hang
            form = {"PostWebhookUrl": backend.url("/post"), "Filters": "onConversationAdded"}
            await first.send("POST", "/v1/Configuration/Webhooks", form | {"Method": "POST"})
            await first.make("/v1/Conversations", UniqueName="x")
            await arrived(backend)

            (await first.post(RESET, Scope=scope)).expect(200)

            await first.make("/v1/Conversations", UniqueName="x")
            (await first.post("/parlour/v1/Clock/Advance", By="P1D")).expect(200)
            assert len(backend.requests) == 1
            assert await server.rows("SELECT sid FROM webhook_attempt") == []

    in_server(tmp_path, scene)
