"""Delivery reports: parts, order, early ones, groups, and reports about unknown messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from parlour.channels.carrier import Accepted, DeliveryReport
from parlour.resources.outbox import queue as outbox_queue
from parlour.vocabulary import limits
from tests.unit.channels.outbox_setup import OutboxSetup, ScriptedCarrier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.channels.carrier import OutboundMessage

    RunOutbox = Callable[[Callable[[OutboxSetup], Awaitable[None]]], None]


async def sent_in_parts(outbox: OutboxSetup, *provider_ids: str) -> str:
    """Send a message that the carrier accepts in parts; return the SID of the message."""
    carrier = ScriptedCarrier()
    carrier.script("+1", Accepted(provider_ids))
    sid = await outbox.add_message(0, "+1")
    async with outbox.running(virtual=carrier):
        await outbox.until_receipts(sid, "sent")
    return sid


# Each step: the part and its status; then the status and the code of the receipt.
FOLDED = [
    ("a:delivered b:delivered", "delivered", 0),
    ("a:delivered", "sent", 0),
    ("a:delivered b:undelivered", "undelivered", 30005),
    ("a:undelivered b:delivered", "undelivered", 30005),
    ("b:failed", "undelivered", 30005),
    ("a:undelivered b:delivered a:delivered", "delivered", 0),
    ("a:read b:delivered", "delivered", 0),
    ("a:read b:read", "read", 0),
    ("a:delivered b:sent", "sent", 0),
    ("a:delivered a:delivered", "sent", 0),
    ("b:delivered a:delivered a:sent", "delivered", 0),
]


@pytest.mark.channel("C34")
@pytest.mark.parametrize(("steps", "status", "code"), FOLDED)
def test_the_reports_of_two_parts_become_one_status(
    run_outbox: RunOutbox, steps: str, status: str, code: int
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        sid = await sent_in_parts(outbox, "a", "b")
        for step in steps.split():
            part, _, reported = step.partition(":")
            error = 30005 if reported in {"undelivered", "failed"} else 0
            await outbox.report("virtual", reported, provider_id=part, error_code=error)
        assert await outbox.receipts(sid) == {"+1": (status, code)}

    run_outbox(scenario)


def test_each_change_is_published_once_and_a_late_sent_changes_nothing(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        sid = await sent_in_parts(outbox, "a")
        for status in ("delivered", "delivered", "sent", "read", "delivered"):
            await outbox.report("virtual", status, provider_id="a")
        assert await outbox.receipts(sid) == {"+1": ("read", 0)}
        assert len(await outbox.updates()) == 3
        assert await outbox.summary(sid) == "sent:all delivered:all read:all"

    run_outbox(scenario)


@pytest.mark.parametrize("status", ["delivered", "undelivered", "failed"])
def test_a_report_before_the_answer_is_applied_when_the_answer_is_recorded(
    run_outbox: RunOutbox, status: str
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", Accepted(("id 7",)))
        sid = await outbox.add_message(0, "+1")

        async def report_early(_message: OutboundMessage) -> None:
            await outbox.report("virtual", status, provider_id="id 7", error_code=30005)
            assert await outbox.receipts(sid) == {"+1": (None, 0)}

        carrier.before_answer = report_early
        expected = "delivered" if status == "delivered" else "undelivered"
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, expected)
        # sent, then the status of the report.
        assert len(await outbox.updates()) == 2

    run_outbox(scenario)


def test_a_report_by_reference_before_the_answer_proves_the_acceptance(
    run_outbox: RunOutbox,
) -> None:
    """Even without any response of the carrier, the message is not sent again."""

    async def scenario(outbox: OutboxSetup) -> None:
        first, second = ScriptedCarrier(), ScriptedCarrier()
        first.gates["+1"] = asyncio.Event()
        sid = await outbox.add_message(0, "+1")
        made = outbox.carriers(virtual=first)
        await made.start()
        await outbox.until(lambda: _was_sent(first))
        await outbox.report("virtual", "delivered", reference=first.sent[0].reference)
        assert await outbox.receipts(sid) == {"+1": ("delivered", 0)}
        assert len(await outbox.updates()) == 2
        assert made._task is not None
        made._task.cancel()
        await asyncio.gather(made._task, return_exceptions=True)
        last = await outbox.add_message(1, "+1")
        async with outbox.running(virtual=second):
            await outbox.until_receipts(last, "sent")
        assert second.bodies("+1") == ["message 1"]

    run_outbox(scenario)


async def _was_sent(carrier: ScriptedCarrier) -> bool:
    return bool(carrier.sent)


def test_an_early_report_expires_and_is_logged(run_outbox: RunOutbox) -> None:
    """The log names the report, without the number of its recipient."""

    async def scenario(outbox: OutboxSetup) -> None:
        outbox.carriers()
        about = {"recipient": "+15558675310", "detail": "no route to 15558675310"}
        await outbox.report(
            "virtual", "undelivered", provider_id="unknown", error_code=30003, **about
        )
        job = outbox.reports.job()
        due_ms = await outbox.store.read(job.next_due_ms)
        assert due_ms == outbox.clock.now_ms() + limits.EARLY_REPORT_MS
        outbox.clock.advance(limits.EARLY_REPORT_MS)
        with capture_logs() as logged:
            await job.run(outbox.store)
        assert logged == [
            {
                "event": "delivery_report_dropped",
                "log_level": "warning",
                "carrier": "virtual",
                "named": "unknown",
                "status": "undelivered",
                "error_code": 30003,
                "detail": "no route to …310",
            }
        ]
        assert await outbox.store.read(outbox_queue.next_expiry_ms) is None
        assert outbox.metrics.reports["virtual", "unknown"] == 1
        sid = await sent_in_parts(outbox, "unknown")
        assert await outbox.receipts(sid) == {"+1": ("sent", 0)}

    run_outbox(scenario)


def test_early_reports_beyond_the_limit_are_dropped(
    run_outbox: RunOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EARLY_REPORTS_MAX", 2)

    async def scenario(outbox: OutboxSetup) -> None:
        outbox.carriers()
        for number in range(4):
            await outbox.report("virtual", "delivered", provider_id=f"id {number}")
        assert outbox.metrics.reports["virtual", "unknown"] == 2
        outbox.clock.advance(limits.EARLY_REPORT_MS + 1)
        await outbox.report("virtual", "delivered", provider_id="id 9")
        assert outbox.metrics.reports["virtual", "unknown"] == 2

    run_outbox(scenario)


def test_a_report_of_another_carrier_is_unknown(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        sid = await sent_in_parts(outbox, "a")
        (row,) = await outbox.submissions()
        await outbox.report("other", "delivered", provider_id="a")
        await outbox.report("other", "delivered", reference=row.sid)
        assert await outbox.receipts(sid) == {"+1": ("sent", 0)}
        await outbox.report("virtual", "delivered", reference=row.sid)
        assert await outbox.receipts(sid) == {"+1": ("delivered", 0)}

    run_outbox(scenario)


def test_a_report_may_select_one_member_of_a_group(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", Accepted(("thread 1",)))
        sid = await outbox.add_message(0, "+1", "+2", "+3", is_shared=True)
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent", "sent", "sent")
        (message,) = carrier.sent
        assert message.is_group
        await outbox.report("virtual", "delivered", provider_id="thread 1", recipient="+2")
        await outbox.report(
            "virtual", "undelivered", reference=message.reference, recipient="+3", error_code=30003
        )
        assert await outbox.receipts(sid) == {
            "+1": ("sent", 0),
            "+2": ("delivered", 0),
            "+3": ("undelivered", 30003),
        }
        await outbox.report("virtual", "delivered", provider_id="thread 1")
        assert [status for status, _ in (await outbox.receipts(sid)).values()] == ["delivered"] * 3

    run_outbox(scenario)


def test_an_identifier_that_a_carrier_uses_again_belongs_to_the_later_message(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", Accepted(("7",)), Accepted(("7",)))
        first = await outbox.add_message(0, "+1")
        second = await outbox.add_message(1, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(second, "sent")
        await outbox.report("virtual", "delivered", provider_id="7")
        assert await outbox.receipts(first) == {"+1": ("sent", 0)}
        assert await outbox.receipts(second) == {"+1": ("delivered", 0)}

    run_outbox(scenario)


def test_parallel_reports_of_one_message_are_each_recorded(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        parts = [f"part {number}" for number in range(10)]
        sid = await sent_in_parts(outbox, *parts)
        reports = [DeliveryReport("delivered", provider_id=each) for each in parts]
        await asyncio.gather(*(outbox.reports.report("virtual", each) for each in reports))
        assert await outbox.receipts(sid) == {"+1": ("delivered", 0)}

    run_outbox(scenario)
