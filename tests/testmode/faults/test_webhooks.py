"""Faults of webhooks: what the receiver gets, and the outcome for the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary.errors import ApiError
from tests.events.in_process_server import WITH_HEADER, poll_until
from tests.testmode.faults.in_process import FaultyServer, run_with_faults

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.testmode.faults.fault import Fault
    from tests.events.webhook_backend import WebhookBackend

ADD, ADDED = "onConversationAdd", "onConversationAdded"
DELIVERED = ("delivered", 200, None, None)
SECOND_MS = 1000


async def _fired(fault: Fault) -> int:
    return fault.fired


OUTCOMES: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    ({"Status": 503}, ("retrying", 503, 50057, None)),
    ({"Timeout": "true"}, ("retrying", None, 50076, "timeout: the fault broken")),
    (
        {"Drop": "true"},
        ("retrying", None, 11205, "connect: closed without an answer: the fault broken"),
    ),
]


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize(("effect", "outcome"), OUTCOMES)
def test_a_failed_delivery_is_retried_and_succeeds(
    tmp_path: Path, phase: str, effect: dict[str, Any], outcome: tuple[Any, ...]
) -> None:
    async def scenario(server: FaultyServer, backend: WebhookBackend) -> None:
        await server.enable_webhooks(backend, PreWebhookUrl="")
        fault = server.fault(
            Target="webhook", EventType=ADDED, Name="broken", Phase=phase, **effect
        )

        await server.do("CreateConversation", origin=WITH_HEADER)
        await server.settle()
        requests = 0 if phase == "before" else 1
        assert backend.events_sent_to("/post") == [ADDED] * requests
        assert await server.attempts(ADDED) == [outcome]

        await server.advance(30 * SECOND_MS)
        assert await server.attempts(ADDED) == [outcome, DELIVERED]
        tokens = [each.headers["i-twilio-idempotency-token"] for each in backend.requests]
        assert len(tokens) == requests + 1
        assert len(set(tokens)) == 1
        assert (fault.matched, fault.fired, fault.left) == (1, 1, 0)

    run_with_faults(tmp_path, scenario)


def test_a_rejection_of_the_receiver_is_not_retried(tmp_path: Path) -> None:
    async def scenario(server: FaultyServer, backend: WebhookBackend) -> None:
        await server.enable_webhooks(backend, PreWebhookUrl="")
        server.fault(Target="webhook", Status=410)

        await server.do("CreateConversation", origin=WITH_HEADER)
        await server.advance(3600 * SECOND_MS)

        assert await server.attempts(ADDED) == [("stopped", 410, 50057, None)]
        assert backend.requests == []

    run_with_faults(tmp_path, scenario)


def test_a_duplicate_is_the_same_delivery_again(tmp_path: Path) -> None:
    async def scenario(server: FaultyServer, backend: WebhookBackend) -> None:
        await server.enable_webhooks(backend, PreWebhookUrl="")
        server.fault(Target="webhook", Duplicate=2)

        await server.do("CreateConversation", origin=WITH_HEADER)
        await server.do("CreateConversation", origin=WITH_HEADER)
        await server.settle()

        tokens = [each.headers["i-twilio-idempotency-token"] for each in backend.requests]
        assert len(tokens) == 4
        assert len(set(tokens)) == 2
        assert len({each.body for each in backend.requests}) == 2
        assert await server.attempts(ADDED) == [DELIVERED] * 2

    run_with_faults(tmp_path, scenario)


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_delay_is_part_of_the_time_of_the_receiver(tmp_path: Path, phase: str) -> None:
    async def scenario(server: FaultyServer, backend: WebhookBackend) -> None:
        await server.enable_webhooks(backend, PreWebhookUrl="")
        server.fault(Target="webhook", DelayMs=60, Phase=phase)

        await server.do("CreateConversation", origin=WITH_HEADER)
        await server.settle()

        assert await server.attempts(ADDED) == [DELIVERED]
        found = await server.store.read(lambda tx: tx.all("SELECT elapsed_ms FROM webhook_attempt"))
        assert found[0][0] >= 60

    run_with_faults(tmp_path, scenario)


def test_a_removed_fault_ends_its_delay_without_the_delayed_request(tmp_path: Path) -> None:
    async def scenario(server: FaultyServer, backend: WebhookBackend) -> None:
        await server.enable_webhooks(backend, PreWebhookUrl="")
        fault = server.fault(Target="webhook", DelayMs=4000)

        await server.do("CreateConversation", origin=WITH_HEADER)
        await poll_until(lambda: _fired(fault))
        server.mode.faults.forget(None)

        # As if no slot was free: neither sent nor logged, and due again.
        await server.advance(30 * SECOND_MS)
        assert await server.attempts(ADDED) == [DELIVERED]
        assert backend.events_sent_to("/post") == [ADDED]

    run_with_faults(tmp_path, scenario)


def test_criteria_select_by_url_event_and_kind(tmp_path: Path) -> None:
    async def scenario(server: FaultyServer, backend: WebhookBackend) -> None:
        await server.enable_webhooks(backend)
        of_url = server.fault(Target="webhook", Times=0, Url=backend.url("/elsewhere"), Status=500)
        of_event = server.fault(Target="webhook", Times=0, EventType="onUserAdded", Status=500)
        of_kind = server.fault(
            Target="webhook", Times=0, Kind="pre", Url=backend.url("/p"), Drop="true"
        )

        await server.do("CreateConversation", origin=WITH_HEADER)
        await server.settle()

        assert [each.fired for each in (of_url, of_event, of_kind)] == [0, 0, 1]
        assert backend.events_sent_to("/pre") == []
        assert backend.events_sent_to("/post") == [ADDED]

    run_with_faults(tmp_path, scenario)


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_pre_action_webhook_rejects_or_fails(tmp_path: Path, phase: str) -> None:
    async def scenario(server: FaultyServer, backend: WebhookBackend) -> None:
        await server.enable_webhooks(backend, PostWebhookUrl="")
        server.fault(Target="webhook", Kind="pre", Status=403, Phase=phase)
        server.fault(Target="webhook", EventType=ADD, Timeout="true", Phase=phase)
        server.fault(Target="webhook", EventType=ADD, Drop="true", Phase=phase)

        with pytest.raises(ApiError) as rejected:
            await server.do("CreateConversation", origin=WITH_HEADER)
        assert rejected.value.code == 50056
        for _ in range(3):  # A receiver that fails does not stop the action.
            await server.do("CreateConversation", origin=WITH_HEADER)
        await server.settle()

        outcomes = [(outcome, code) for outcome, _, code, _ in await server.attempts(ADD)]
        assert outcomes == [
            ("rejected", 50056),
            ("failed", 50076),
            ("failed", 11205),
            ("delivered", None),
        ]
        assert len(backend.requests) == (1 if phase == "before" else 4)

    run_with_faults(tmp_path, scenario)
