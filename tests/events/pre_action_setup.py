"""The setup of pre-action webhook tests: one conversation, and a backend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from parlour.resources.conversations import store as conversation_store
from parlour.resources.messages import store as message_store
from parlour.resources.participants import store as participant_store
from parlour.store import event_log
from parlour.vocabulary.errors import ApiError
from tests.events.event_log_setup import poll_until
from tests.events.in_process_server import WITH_HEADER, InProcessServer
from tests.events.in_process_server import scenario_runner as server_scenario_runner

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from tests.events.webhook_backend import Responder, WebhookBackend

ATTEMPTS = """
SELECT event_name, outcome, status, error_code, error, answer FROM webhook_attempt
 WHERE event_sequence = 0 ORDER BY sid LIMIT 100
"""


class PreActionSetup:
    """A server with one conversation, and the backend of its webhooks."""

    def __init__(self, instance: InProcessServer, backend: WebhookBackend) -> None:
        self.instance = instance
        self.backend = backend
        self.sid = ""

    async def listen(self, url: str | None = None, **changes: Any) -> None:
        """Enable every pre-action and post-action webhook."""
        if url is not None:
            changes["PreWebhookUrl"] = url
        await self.instance.enable_webhooks(self.backend, **changes)

    def answers(self, given: Responder) -> None:
        """Set the backend's response from now on."""
        self.backend.responders["/pre"] = given

    @property
    def pre_action_events(self) -> list[str]:
        """Return the pre-action requests."""
        return self.backend.events_sent_to("/pre")

    async def send_message(self, body: str = "said", **form: str) -> Any:
        """Send a message with the header."""
        return await self.instance.send_message(self.sid, body, WITH_HEADER, **form)

    async def log(self) -> list[tuple[Any, ...]]:
        """Return the pre-action requests in the webhook log, once all are written."""
        await poll_until(lambda: not self.instance.app.webhooks.writer.has_work)
        return await self.instance.store.read(lambda tx: tx.all(ATTEMPTS))

    async def rows(self) -> dict[str, list[Any]]:
        """Return the stored state of the conversation."""
        scope = self.instance.scope

        async def read(tx: Transaction) -> dict[str, list[Any]]:
            return {
                "conversation": [await conversation_store.find_conversation(tx, scope, self.sid)],
                "participants": await participant_store.list_all_participants(tx, scope, self.sid),
                "messages": await message_store.list_messages_between(
                    tx, scope, self.sid, 0, 100, 100
                ),
                "last_event": [await event_log.visible_through(tx)],
            }

        return await self.instance.store.read(read)


Scenario = Callable[[PreActionSetup], Awaitable[None]]
ScenarioRunner = Callable[[Scenario], None]


def scenario_runner(data: Path) -> ScenarioRunner:
    """Return a function that runs a scene in a separate conversation."""

    def run_scenario(scenario: Scenario) -> None:
        async def furnish(instance: InProcessServer, backend: WebhookBackend) -> None:
            setup = PreActionSetup(instance, backend)
            setup.sid = (await instance.do("CreateConversation", {"FriendlyName": "n"})).sid
            await setup.listen()
            await scenario(setup)

        server_scenario_runner(data)(furnish)

    return run_scenario


async def refusal(doing: Awaitable[Any]) -> tuple[int, int]:
    """Return the status and the code of a rejected call."""
    with pytest.raises(ApiError) as caught:
        await doing
    return caught.value.status, caught.value.code
