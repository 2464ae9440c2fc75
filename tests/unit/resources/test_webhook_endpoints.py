"""Webhook endpoints: the last results of URLs, their retention, and failures in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.resources.webhook_attempts.store import LoggedOutcome, WebhookAttempt
from parlour.resources.webhook_endpoints import store as webhook_endpoint_store
from parlour.resources.webhook_endpoints.representation import failure_text
from parlour.resources.webhook_endpoints.retention import endpoint_retention_job
from parlour.resources.webhook_endpoints.store import WebhookEndpoint, endpoints_of
from tests.unit.delivery.database import SCOPE, Database, run_on_database

if TYPE_CHECKING:
    from pathlib import Path

HOUR_MS = 3_600_000
URL = "http://h.test/"


def attempt(outcome: LoggedOutcome, date_ms: int, **values: Any) -> WebhookAttempt:
    """Return an attempt of the account."""
    return WebhookAttempt("AC1", f"NO{date_ms}", 1, "k", "CH1", "x", outcome, date_ms, **values)


def failure(date_ms: int) -> WebhookAttempt:
    """Return an attempt that the receiver answered with 500."""
    return attempt(LoggedOutcome.RETRYING, date_ms, status=500, elapsed_ms=12, error_code=11200)


FAILED = {"date_failed": 5, "status": 500, "error_code": 11200, "elapsed_ms": 12}


def test_results_of_a_batch_are_combined_for_each_url() -> None:
    made = endpoints_of(
        [
            ("b", attempt(LoggedOutcome.DELIVERED, HOUR_MS + 3)),
            (URL, failure(5)),
            (URL, attempt(LoggedOutcome.REJECTED, HOUR_MS + 7)),
            ("b", attempt(LoggedOutcome.DELIVERED, HOUR_MS + 4)),
        ]
    )
    assert made == [
        WebhookEndpoint("AC1", "b", date_delivered=HOUR_MS + 4, date_used=HOUR_MS),
        WebhookEndpoint("AC1", URL, date_delivered=HOUR_MS + 7, date_used=HOUR_MS, **FAILED),
    ]


def test_a_stored_result_remains_until_one_of_its_kind(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        async def save(*attempts: WebhookAttempt) -> WebhookEndpoint:
            for each in endpoints_of((URL, one) for one in attempts):
                await database.write(webhook_endpoint_store.save_endpoint, each)
            found = await database.read(webhook_endpoint_store.list_endpoints, SCOPE, 10)
            (endpoint,) = found
            assert isinstance(endpoint, WebhookEndpoint)
            return endpoint

        assert (await save(failure(5))).date_delivered is None
        after = await save(attempt(LoggedOutcome.DELIVERED, HOUR_MS))
        assert after == WebhookEndpoint(
            "AC1", URL, date_delivered=HOUR_MS, date_used=HOUR_MS, **FAILED
        )
        later = await save(attempt(LoggedOutcome.FAILED, HOUR_MS + 1, error="timeout"))
        assert (later.date_delivered, later.date_failed) == (HOUR_MS, HOUR_MS + 1)
        assert (later.status, later.error) == (None, "timeout")

    run_on_database(tmp_path, scenario)


def test_an_endpoint_is_deleted_after_the_retention_time(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        job = endpoint_retention_job(2)
        assert await database.read(job.next_due_ms) is None
        now_ms = database.clock.now_ms()
        for url, date_ms in (("old", now_ms - 4 * HOUR_MS), ("new", now_ms - HOUR_MS)):
            for each in endpoints_of([(url, attempt(LoggedOutcome.DELIVERED, date_ms))]):
                await database.write(webhook_endpoint_store.save_endpoint, each)
        due_ms = await database.read(job.next_due_ms)
        assert due_ms < now_ms
        await job.run(database.store)
        left = await database.read(webhook_endpoint_store.list_endpoints, SCOPE, 10)
        assert [each.url for each in left] == ["new"]
        assert await database.read(job.next_due_ms) > now_ms

    run_on_database(tmp_path, scenario)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"status": 500}, "The receiver answered 500 after 12 ms."),
        ({"error": "timeout"}, "The receiver did not answer within 12 ms."),
        ({"error": "dns"}, "The name of the receiver has no address."),
        (
            {"error": "connect: ConnectionRefusedError"},
            "No connection to the receiver (ConnectionRefusedError), after 12 ms.",
        ),
        ({"error": "tls: expired"}, "The TLS handshake with the receiver failed (expired), "),
        ({"error": "protocol"}, "The answer of the receiver is not valid HTTP, after 12 ms."),
        ({"error": "private address."}, "The request was not sent: private address."),
        ({}, "The receiver did not answer, after 12 ms."),
    ],
)
def test_a_failure_is_a_sentence(values: dict[str, Any], text: str) -> None:
    shown = failure_text(WebhookEndpoint("AC1", URL, elapsed_ms=12, **values))
    assert shown.startswith(text)
    assert shown.endswith(".")
    assert not shown.endswith("..")
