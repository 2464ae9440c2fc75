"""An unreadable event is recorded in the webhook log, and blocks no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from parlour.protocol.pages import PageRequest
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import AttemptFilters, LoggedAttempt, LoggedOutcome
from parlour.vocabulary import event_names
from tests.events.in_process_server import WITH_HEADER, InProcessServer, scenario_runner

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from tests.events.webhook_backend import WebhookBackend

# The name of a later version; a payload without the record; one whose record has another shape.
BROKEN = [
    ("onPollAdded", {}),
    (event_names.ON_MESSAGE_ADDED, {}),
    (event_names.ON_MESSAGE_UPDATED, {"message": {"media": "no JSON", "sid": "IM\0"}}),
    (event_names.ON_CONVERSATION_STATE_UPDATED, {"conversation": [1]}),
]


@pytest.mark.parametrize(("name", "payload"), BROKEN, ids=[str(each) for each in range(4)])
def test_an_unreadable_event_is_logged_and_the_next_one_is_sent(
    tmp_path: Path, name: str, payload: dict[str, Any]
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        form: Any = {
            "PostWebhookUrl": backend.url("/a"),
            "Filters": sorted(event_names.POST_ACTION),
        }
        await instance.do("UpdateConfigurationWebhook", form)
        sid = (await instance.do("CreateConversation")).sid
        await instance.attach(
            sid, Url=backend.url("/b"), Filters=sorted(event_names.SCOPED_FILTERS)
        )

        async def emit(tx: Transaction) -> None:
            await tx.emit(
                instance.scope, name, conversation_sid=sid, subject_sid=sid, payload=payload
            )

        await instance.store.write(emit, WITH_HEADER)
        await instance.send_message(sid, "the next one", WITH_HEADER)
        await instance.wait_until_idle()
        assert sorted(each.path for each in backend.requests) == ["/a", "/b"]
        assert {each.values["Body"] for each in backend.requests} == {"the next one"}
        (logged,) = await unreadable(instance)
        attempt = logged.attempt
        assert (attempt.event_name, attempt.conversation_sid) == (name, sid)
        assert attempt.error is not None
        assert attempt.error.startswith("the event cannot be read: ")
        assert replace(attempt, status=None) == attempt
        figures = {each.name: each for each in webhook_figures(instance)}
        counted = figures["parlour_webhook_attempts"].samples
        assert {each.labels["outcome"]: each.value for each in counted}["unreadable"] == 1

    scenario_runner(tmp_path / "data")(scenario)


async def unreadable(instance: InProcessServer) -> list[LoggedAttempt]:
    filters = AttemptFilters(outcome=LoggedOutcome.UNREADABLE)
    return await instance.store.read(
        lambda tx: webhook_attempt_store.list_attempts(
            tx, instance.scope, filters, PageRequest(0, 10, None)
        )
    )


def webhook_figures(instance: InProcessServer) -> list[Any]:
    (sink,) = (
        lane.sink for lane in instance.app.dispatcher._runners if lane.sink.name == "webhooks"
    )
    return list(sink.metrics())  # type: ignore[attr-defined]
