"""The event feed in test mode: it shows the numbers of the log, and accepts them as positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.store import event_log
from tests.events.in_process_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    ScenarioRunner,
    scenario_runner,
)
from tests.resources.test_event_streams import bodies, stream
from tests.support.in_process_api import InProcessApi, listening

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from tests.events.in_process_server import InProcessServer
    from tests.events.webhook_backend import WebhookBackend

EVENTS = "/parlour/v1/Events"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server in test mode."""
    return scenario_runner(tmp_path / "data", test=True)


def test_an_event_has_its_number_which_is_a_position_of_pages_and_streams(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        for body in ("1", "2", "3"):
            await instance.send_message(sid, body)
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        events = (await api.get(EVENTS, EventType="onMessageAdded")).expect(200)["events"]
        numbers = [each["sequence"] for each in events]
        assert numbers == sorted(set(numbers))
        page = (await api.get(EVENTS, After=numbers[0])).expect(200)
        assert page["events"] == events[1:]
        (await api.get(EVENTS, After="9" * 40)).refuses(400, 20001)
        async with listening(instance.app) as port:
            async with stream(instance, port, last_event_id=str(numbers[1])) as client:
                assert await bodies(client, 1) == ["3"]
            async with stream(instance, port, f"?After={numbers[0]}") as client:
                assert await bodies(client, 2) == ["2", "3"]

    run_scenario(scenario)


def test_a_cursor_does_not_expire_when_a_reset_deletes_the_oldest_events(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        await instance.do("CreateConversation")
        cursor = (await api.get(EVENTS, After="now")).expect(200)["after"]
        for _ in range(3):
            await instance.do("CreateConversation")
        events = (await api.get(EVENTS, After=cursor)).expect(200)["events"]

        async def delete(tx: Transaction) -> None:
            await tx.run(event_log.DELETE_UP_TO, events[1]["sequence"])

        # As the reset of an account with the oldest events does.
        await instance.store.write(delete)
        page = (await api.get(EVENTS, After=cursor)).expect(200)
        assert page["events"] == events[2:]

    run_scenario(scenario)
