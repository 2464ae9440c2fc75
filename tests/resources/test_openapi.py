"""The description of the operations, as the server answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.resources.openapi.description import describe
from parlour.resources.table import operations
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN, ScenarioRunner, scenario_runner
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer
    from tests.events.webhook_backend import WebhookBackend

PATH = "/parlour/v1/OpenApi"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


def test_named_operations_are_described_and_an_unknown_one_is_refused(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, _backend: WebhookBackend) -> None:
        api = InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        named = (await api.get(PATH, Operation="UpdateConversationParticipant")).expect(200)
        described = [
            each for each in operations() if each.operation_id == "UpdateConversationParticipant"
        ]
        assert named == describe(described)
        every = (await api.get(PATH)).expect(200)["paths"]
        assert {"/v1/Conversations", "/parlour/v1/Requests"} <= set(every)
        error = (await api.get(PATH, Operation="Nothing")).refuses(400, 20001)
        assert "Nothing" in error

    run_scenario(scenario)
