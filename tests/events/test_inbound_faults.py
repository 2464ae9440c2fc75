"""An inbound message that the server cannot process is given up, and its lane continues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from parlour.resources.inbound import keywords as inbound_keywords
from parlour.resources.inbound import processing as inbound_processing
from parlour.resources.inbox import store as inbox_store
from parlour.vocabulary import limits
from tests.events.inbound_setup import (
    PHONE,
    InboundSetup,
    ScenarioRunner,
    scenario_runner,
    text_message,
)

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.resources.inbox.store import InboxEntry
    from parlour.store.transaction import Transaction

REASON = "the server failed in 5 attempts, at last with ZeroDivisionError"
PROCESSING = (inbound_processing, "process_message")
DROP_AS_WELL = (inbound_keywords, "handle_keyword")


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""
    return scenario_runner(tmp_path)


def plant_fault(monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str], body: str) -> None:
    """Raise an error in a function for messages with this body."""
    function = getattr(*place)

    async def fail(tx: Transaction, *args: Any, **named: Any) -> Any:
        message = named.get("message") or args[1]
        if message.body == body:
            raise ZeroDivisionError(PHONE)
        return await function(tx, *args, **named)

    monkeypatch.setattr(*place, fail)


def record_delays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the delay of each further attempt."""
    delays: list[int] = []
    defer = inbound_processing.defer

    async def record(tx: Transaction, entry: InboxEntry, due_ms: int, **named: int) -> InboxEntry:
        delays.append(due_ms - tx.now)
        return await defer(tx, entry, due_ms, **named)

    monkeypatch.setattr(inbound_processing, "defer", record)
    return delays


@pytest.mark.parametrize(
    ("place", "body", "outcome"),
    [
        (PROCESSING, "broken", "dropped"),
        (DROP_AS_WELL, "broken", "dropped"),
        (PROCESSING, "STOP", "opted_out"),
    ],
)
def test_a_message_that_fails_is_given_up_with_its_content_and_the_next_one_is_processed(
    run_scenario: ScenarioRunner,
    monkeypatch: pytest.MonkeyPatch,
    place: tuple[Any, str],
    body: str,
    outcome: str,
) -> None:
    """The reason is in the outcome and the log, and the metrics count it."""
    monkeypatch.setattr(limits, "INBOX_RETRY_MS", 1)
    plant_fault(monkeypatch, place, body)
    delays = record_delays(monkeypatch)

    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        with capture_logs() as logged:
            lost = await setup.accept(text_message(body))
            later = await setup.accept(text_message("later"))
            result = await setup.inbound.outcome(lost)
            assert (await setup.inbound.outcome(later)).outcome == "conversation"
        assert delays == [1, 2, 4, 8]
        assert (result.outcome, result.reason) == (outcome, REASON)
        assert [each.body for each in await setup.messages(conversation.sid)] == ["later"]

        events = [each["event"] for each in logged if each.get("provider_id") == lost.provider_id]
        assert events.count("inbound_message_failed") == 5
        (dropped,) = [each for each in logged if each["event"] == "inbound_message_dropped"]
        assert (dropped["reason"], dropped["log_level"]) == (REASON, "warning")
        assert dropped["provider_id"] == lost.provider_id

        entry = await setup.entry(lost)
        assert (entry.state, entry.due_ms, entry.reason) == (inbox_store.DONE, None, REASON)
        assert inbound_processing.message_of(entry).body == body
        assert (await setup.entry(later)).content is None
        counts = setup.instance.app.channels.outbox.metrics.inbound
        expected = {"failed": 1, "deferred": 4, outcome: 1, "conversation": 1}
        assert {name: count for name, count in counts.items() if count} == expected

    run_scenario(scenario)
