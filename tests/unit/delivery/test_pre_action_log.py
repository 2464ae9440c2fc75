"""The webhook log of pre-action requests: one row of each table, outside of the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.delivery.pre_action import PreActionAttempt
from parlour.delivery.pre_action_log import write_pre_action
from parlour.delivery.targets import WebhookTarget
from parlour.protocol.pages import PageRequest
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import (
    AttemptFilters,
    LoggedAttempt,
    WebhookAttempt,
)
from parlour.store import webhook_queue
from parlour.store.webhook_queue import WebhookDelivery
from tests.unit.delivery.database import SCOPE, Database, run_on_database

if TYPE_CHECKING:
    from pathlib import Path

ATTEMPT = PreActionAttempt(
    scope=SCOPE,
    conversation_sid="CH1",
    event_name="onMessageAdd",
    target=WebhookTarget("IS1", "http://h.test/", "GET", 3, "service", "WH1"),
    token="a-token",
    parameters={"Body": "é", "EventType": "onMessageAdd"},
    outcome="rejected",
    status=418,
    error_code=50056,
    error="why",
    elapsed_ms=12,
    answer=b"a\0b" + b"x" * 1000,
    date_ms=1000,
)


async def logged(database: Database) -> list[LoggedAttempt]:
    request = PageRequest(page=0, size=50, position=None)
    listing = webhook_attempt_store.list_attempts
    found: list[LoggedAttempt] = await database.read(listing, SCOPE, AttemptFilters(), request)
    return found


def test_a_request_is_logged_as_an_attempt_with_its_delivery(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await database.write(write_pre_action, ATTEMPT, "NO1")
        (found,) = await logged(database)
        assert found.attempt == WebhookAttempt(
            account_sid="AC1",
            sid="NO1",
            event_sequence=0,
            target_key="NO1",
            conversation_sid="CH1",
            event_name="onMessageAdd",
            outcome="rejected",
            retry_count=0,
            status=418,
            error_code=50056,
            error="why",
            elapsed_ms=12,
            answer="a\N{REPLACEMENT CHARACTER}b" + "x" * 997,
            next_attempt_ms=None,
            date_created=1000,
        )
        assert found.delivery == WebhookDelivery(
            account_sid="AC1",
            event_sequence=0,
            target_key="NO1",
            service_sid="IS1",
            conversation_sid="CH1",
            event_name="onMessageAdd",
            scope="service",
            webhook_sid=None,
            url="http://h.test/",
            method="GET",
            retry_limit=None,
            token="a-token",
            parameters='{"Body":"é","EventType":"onMessageAdd"}',
            lane=0,
            lane_order=0,
            state="asked",
            retry_count=0,
            due_ms=None,
            date_queued=1000,
            date_updated=1000,
        )

    run_on_database(tmp_path, scenario)


def test_equal_requests_have_rows_of_their_own_and_none_is_in_the_queue(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        for sid in ("NO1", "NO2", "NO1"):  # The last one repeats the first.
            await database.write(write_pre_action, ATTEMPT, sid)
        first, second = await logged(database)
        assert (first.sid, second.sid) == ("NO2", "NO1")
        assert first.delivery != second.delivery
        assert await database.read(webhook_queue.counts) == {}
        assert await database.read(webhook_queue.following, "AC1", 0, -1) == []

    run_on_database(tmp_path, scenario)
