"""Requests of pre-action webhooks: in flight, and without a response."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from parlour.egress.client import EgressFailed, EgressRefused
from parlour.vocabulary.errors import ApiError
from tests.unit.delivery.term_setup import until
from tests.unit.delivery.test_pre_action import MessageForm, PreActionHarness, play
from tests.unit.delivery.webhook_rows import PRE

if TYPE_CHECKING:
    from parlour.egress.client import OutboundRequest, OutboundResponse

__all__ = ["play"]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (EgressFailed("connect", 11205, "reset"), "connect reset"),
        (EgressRefused("forbidden", 11299), "forbidden"),
    ],
)
def test_a_failed_request_changes_nothing(play: Any, failure: Any, error: str) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        harness.response = failure
        with capture_logs() as logs:
            assert await harness.amend({"Body": "b"}) == MessageForm(body="b")
        (attempt,) = harness.attempts
        assert (attempt.outcome, attempt.error) == ("failed", error)
        assert (attempt.status, attempt.answer) == (None, b"")
        assert attempt.error_code == failure.code
        assert [(each["status"], each["error"]) for each in logs] == [(None, error)]

    play(scenario)


def test_a_request_is_open_work_until_its_response(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        may_end = asyncio.Event()
        send = harness.send

        async def hang(request: OutboundRequest) -> OutboundResponse:
            await may_end.wait()
            return await send(request)

        monkeypatch.setattr(harness.webhooks, "_send_request", hang)
        running = asyncio.create_task(harness.amend({"Body": "b"}))
        await until(lambda: list(harness.webhooks.open_work()) != [])
        [work] = harness.webhooks.open_work()
        assert work.what == f"pre-action webhook POST {PRE}"
        assert (work.account_sid, work.since_ms is not None) == ("AC1", True)
        may_end.set()
        await running
        assert list(harness.webhooks.open_work()) == []

    play(scenario)


def test_an_aborted_request_fails_its_change_and_is_not_logged(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(harness: PreActionHarness) -> None:
        await harness.subscribe()
        sent: list[OutboundRequest] = []

        async def hang(request: OutboundRequest) -> OutboundResponse:
            sent.append(request)
            await asyncio.sleep(60)
            raise AssertionError

        monkeypatch.setattr(harness.webhooks, "_send_request", hang)
        running = asyncio.create_task(harness.amend({"Body": "b"}))
        await until(lambda: sent)
        harness.webhooks.abort(lambda account_sid: account_sid == "AC2")
        await asyncio.sleep(0)
        assert not running.done()
        harness.webhooks.abort(lambda account_sid: account_sid == "AC1")
        with pytest.raises(ApiError) as raised:
            await running
        assert raised.value.code == 20503
        assert harness.attempts == []
        assert list(harness.webhooks.open_work()) == []

    play(scenario)
