"""The webhook log with `Wait`: woken by attempts that are logged, on this node and on others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.operations.waiting_lists import WaitingLists
from tests.events.in_process_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    WITH_HEADER,
    ScenarioRunner,
    scenario_runner,
)
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer
    from tests.events.webhook_backend import WebhookBackend

ATTEMPTS = "/parlour/v1/WebhookAttempts"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


def test_a_waiting_log_answers_once_the_attempts_are_logged(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend)
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        query = {"EventType": "onMessageAdded", "Outcome": "delivered"}
        waiting = asyncio.create_task(api.get(ATTEMPTS, **query, Wait=30, MinCount=2))
        sid = (await instance.do("CreateConversation")).sid
        for body in ("1", "2"):
            await instance.send_message(sid, body, WITH_HEADER)
        page = (await waiting).expect(200)
        assert [each["request"]["parameters"]["Body"] for each in page["webhook_attempts"]] == [
            "2",
            "1",
        ]
        assert page["complete"] is True

    run_scenario(scenario)


def test_a_waiting_log_includes_pre_action_requests(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend)
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        waiting = asyncio.create_task(api.get(ATTEMPTS, EventType="onConversationAdd", Wait=30))
        await instance.do("CreateConversation", origin=WITH_HEADER)
        assert (await waiting).expect(200)["complete"] is True

    run_scenario(scenario)


def test_attempts_of_another_node_are_found_by_polling(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WaitingLists, "publish_attempts", lambda *_: None)

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        if not instance.store.is_shared:
            return
        await instance.enable_webhooks(backend)
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        waiting = asyncio.create_task(api.get(ATTEMPTS, EventType="onConversationAdded", Wait=30))
        await instance.do("CreateConversation", origin=WITH_HEADER)
        assert (await waiting).expect(200)["complete"] is True

    run_scenario(scenario)


def test_a_replay_has_no_wait(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        form = {"Since": "2020-01-01T00:00:00Z", "Wait": "nothing"}
        (await api.post(f"{ATTEMPTS}/Replay", form)).expect(202)

    run_scenario(scenario)
