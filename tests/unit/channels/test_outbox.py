"""The outbox: every message goes to its carrier once, in order, and results reach the receipts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.carrier import Accepted, CarrierUnavailable, RefusedRecipient, Rejected
from parlour.resources.outbox import enqueue as outbox_enqueue
from parlour.resources.outbox import store as outbox_store
from parlour.vocabulary import limits
from tests.unit.channels.outbox_setup import OWN, SCOPE, OutboxSetup, ScriptedCarrier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    RunOutbox = Callable[[Callable[[OutboxSetup], Awaitable[None]]], None]

OTHER_ACCOUNT = "AC" + "0" * 31 + "2"
THROTTLED = Rejected(30001, "throttled", retry_after_seconds=5)


@pytest.mark.channel("C26")
def test_each_recipient_is_sent_to_with_its_own_sid_as_the_reference(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        sid = await outbox.add_message(0, "+1", "+2")
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent", "sent")
        assert {each.recipients for each in carrier.sent} == {("+1",), ("+2",)}
        first = carrier.sent[0]
        assert (first.channel, first.sender, first.body) == ("sms", OWN, "message 0")
        assert first.message_sids == (first.reference,)
        assert first.message_sid == sid
        assert {each.sid for each in await outbox.submissions()} == {
            each.reference for each in carrier.sent
        }
        assert await outbox.summary(sid) == "sent:all"
        assert len(await outbox.updates()) == 2

    run_outbox(scenario)


def test_an_accepted_submission_has_no_content_any_more(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        await outbox.add_message(0, "+1")
        async with outbox.running(virtual=ScriptedCarrier()):
            await outbox.until_recorded()
        (row,) = await outbox.submissions()
        assert (row.state, row.content, row.due_ms, row.attempts) == ("accepted", "", None, 1)

    run_outbox(scenario)


# --- Lanes


@pytest.mark.channel("C25")
def test_messages_of_one_lane_wait_for_each_other_and_other_lanes_do_not(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        gate = carrier.gates["+1"] = asyncio.Event()
        for index in range(3):
            await outbox.add_message(index, "+1", "+2")
        async with outbox.running(virtual=carrier):
            await outbox.until(lambda: _has(carrier, "+2", 3))
            assert carrier.bodies("+1") == ["message 0"]
            gate.set()
            await outbox.until(lambda: _has(carrier, "+1", 3))
        expected = [f"message {index}" for index in range(3)]
        assert carrier.bodies("+1") == carrier.bodies("+2") == expected

    run_outbox(scenario)


async def _has(carrier: ScriptedCarrier, address: str, count: int) -> bool:
    return len(carrier.bodies(address)) == count


@pytest.mark.channel("C25")
@pytest.mark.parametrize("restarts", [False, True])
def test_a_message_in_backoff_holds_back_the_later_ones_of_its_lane(
    run_outbox: RunOutbox, restarts: bool
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", THROTTLED)
        first = await outbox.add_message(0, "+1")
        last = await outbox.add_message(1, "+1", "+2")
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(last, None, "sent")
            await outbox.until(lambda: _is_retried(outbox))
            if not restarts:
                await _advance_to_retry(outbox)
                await outbox.until_receipts(last, "sent", "sent")
        if restarts:
            assert carrier.bodies("+1") == ["message 0"]
            async with outbox.running(virtual=carrier):
                await outbox.add_message(2, "+2")
                await outbox.until(lambda: _has(carrier, "+2", 2))
                assert carrier.bodies("+1") == ["message 0"]
                await _advance_to_retry(outbox)
                await outbox.until_receipts(last, "sent", "sent")
        assert carrier.bodies("+1") == ["message 0", "message 0", "message 1"]
        assert await outbox.receipts(first) == {"+1": ("sent", 0)}
        references = [each.reference for each in carrier.sent if each.recipients == ("+1",)]
        assert references[0] == references[1]
        assert [each.retries for each in carrier.sent if each.body == "message 0"] == [0, 1]

    run_outbox(scenario)


async def _is_retried(outbox: OutboxSetup) -> bool:
    return any(each.attempts for each in await outbox.submissions() if each.state == "queued")


async def _advance_to_retry(outbox: OutboxSetup) -> None:
    due = [each.due_ms for each in await outbox.submissions() if each.due_ms is not None]
    outbox.clock.advance(max(0, max(due) - outbox.clock.now_ms()))


def test_a_deleted_message_is_not_sent_and_the_next_one_of_its_lane_is(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        first = await outbox.add_message(0, "+1")
        last = await outbox.add_message(1, "+1")
        await outbox.store.write(
            lambda tx: outbox_store.delete_submissions_of_message(tx, SCOPE, first)
        )
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(last, "sent")
        assert carrier.bodies("+1") == ["message 1"]

    run_outbox(scenario)


def test_a_message_deleted_in_flight_changes_nothing_when_its_answer_comes(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        gate = carrier.gates["+1"] = asyncio.Event()
        sid = await outbox.add_message(0, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until(lambda: _has(carrier, "+1", 1))
            await outbox.store.write(
                lambda tx: outbox_store.delete_submissions_of_message(tx, SCOPE, sid)
            )
            gate.set()
        assert await outbox.receipts(sid) == {"+1": (None, 0)}
        assert await outbox.submissions() == []

    run_outbox(scenario)


# --- Outcomes


def test_a_permanent_rejection_fails_the_receipt_and_the_lane_continues(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", Rejected(21211, "no such number"))
        first = await outbox.add_message(0, "+1")
        last = await outbox.add_message(1, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(last, "sent")
        assert await outbox.receipts(first) == {"+1": ("failed", 21211)}
        assert await outbox.summary(first) == "failed:all"
        assert len(await outbox.submissions()) == 1

    run_outbox(scenario)


def test_a_message_that_a_carrier_cannot_process_delays_no_other(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", RuntimeError("a fault in the carrier"))
        await outbox.add_message(0, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until(lambda: _is_retried(outbox))
            # The clock is frozen: a backoff of the carrier would not end.
            other = await outbox.add_message(1, "+2")
            await outbox.until_receipts(other, "sent")
        assert len(carrier.sent) == 2

    run_outbox(scenario)


def test_an_unexpected_error_of_a_carrier_is_an_unknown_outcome(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", RuntimeError("a fault in the carrier"))
        sid = await outbox.add_message(0, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until(lambda: _is_retried(outbox))
            await _advance_to_retry(outbox)
            await outbox.until_receipts(sid, "sent")
        assert len(carrier.sent) == 2

    run_outbox(scenario)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (THROTTLED, 30001),
        (Rejected(30008, "a temporary fault", retry_after_seconds=0), 30008),
        (CarrierUnavailable("link lost"), 30410),
    ],
)
def test_a_message_that_expires_while_it_is_retried_fails_with_the_last_code(
    run_outbox: RunOutbox, answer: Any, code: int
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", answer)
        sid = await outbox.add_message(0, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until(lambda: _is_retried(outbox))
            outbox.clock.advance(limits.SUBMISSION_MS_MAX)
            await outbox.until_receipts(sid, "failed")
        assert await outbox.receipts(sid) == {"+1": ("failed", code)}
        assert len(carrier.sent) == 1
        assert await outbox.submissions() == []

    run_outbox(scenario)


def test_a_message_that_expires_without_an_attempt_fails_with_30001(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        sid = await outbox.add_message(0, "+1")
        outbox.clock.advance(limits.SUBMISSION_MS_MAX)
        carrier = ScriptedCarrier()
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "failed")
        assert await outbox.receipts(sid) == {"+1": ("failed", 30001)}
        assert carrier.sent == []

    run_outbox(scenario)


def test_recipients_of_a_mail_that_the_carrier_refused_fail_and_the_others_are_sent(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        refused = RefusedRecipient("b@example.com", 21211, "no such mailbox")
        carrier.script("a@example.com", Accepted(("id1",), (refused,)))
        mail = ("a@example.com", "b@example.com")
        sid = await outbox.add_message(0, *mail, channel="email", is_shared=True)
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent", "failed")
        assert [each.recipients for each in carrier.sent] == [mail]
        assert await outbox.receipts(sid) == {mail[0]: ("sent", 0), mail[1]: ("failed", 21211)}

    run_outbox(scenario)


def test_an_automatic_answer_is_sent_once_and_needs_no_receipt(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        to = (SCOPE.account_sid, "sms", OWN, "+1", "You are unsubscribed.")
        sid = await outbox.store.write(lambda tx: outbox_enqueue.enqueue_reply(tx, *to))
        async with outbox.running(virtual=carrier):
            await outbox.until_recorded()
            await outbox.report("virtual", "delivered", reference=sid)
        (message,) = carrier.sent
        assert (message.reference, message.body) == (sid, "You are unsubscribed.")
        assert (message.sender, message.recipients) == (OWN, ("+1",))
        assert await outbox.updates() == []

    run_outbox(scenario)


# --- Carriers


def test_an_unavailable_carrier_delays_only_its_own_senders(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        await outbox.route(("+100", "down"), ("+200", "up"))
        down, up = ScriptedCarrier(), ScriptedCarrier()
        for number in range(20):
            down.script(f"+{number}", *[CarrierUnavailable("refused")] * 50)
        for index in range(20):
            held = await outbox.add_message(index, f"+{index}", sender="+100")
            sent = await outbox.add_message(index, f"+{index}", sender="+200", conversation=2)
        async with outbox.running(down=down, up=up):
            await outbox.until_receipts(sent, "sent")
            await outbox.until(lambda: _count_is(up, 20))
            # It is not asked for each of its messages: one attempt, then a backoff.
            assert 1 <= len(down.sent) <= down.concurrency
            down.answers.clear()
            for _ in range(20):
                outbox.clock.advance(limits.SUBMISSION_RETRY_MS_MAX)
                await asyncio.sleep(0)
            await outbox.until_receipts(held, "sent")

    run_outbox(scenario)


async def _count_is(carrier: ScriptedCarrier, count: int) -> bool:
    return len(carrier.sent) == count


@pytest.mark.channel("C43")
def test_a_sender_without_a_route_or_with_an_unknown_carrier_fails_with_63007(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        await outbox.route(("+100", "removed"))
        removed = await outbox.add_message(0, "+1", sender="+100")
        nowhere = await outbox.add_message(0, "+1", sender="+300", conversation=2)
        carrier = ScriptedCarrier()
        async with outbox.running(virtual=carrier):
            for sid in (removed, nowhere):
                await outbox.until_receipts(sid, "failed")
                assert await outbox.receipts(sid) == {"+1": ("failed", 63007)}
        assert carrier.sent == []

    run_outbox(scenario)


def test_a_text_without_a_sender_fails_and_a_mail_is_the_carriers_decision(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        text = await outbox.add_message(0, "+1", sender=None)
        mail = await outbox.add_message(1, "a@example.com", sender=None, channel="email")
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(text, "failed")
            await outbox.until_receipts(mail, "sent")
        assert await outbox.receipts(text) == {"+1": ("failed", 63007)}
        assert [each.channel for each in carrier.sent] == ["email"]

    run_outbox(scenario)


def test_no_more_submissions_are_in_flight_than_the_carrier_has_slots(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier(concurrency=3)
        addresses = [f"+{number}" for number in range(40)]
        sid = await outbox.add_message(0, *addresses)
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, *["sent"] * 40)
        assert carrier.most_in_flight == 3
        assert len(carrier.sent) == 40

    run_outbox(scenario)


def test_an_account_with_a_long_queue_does_not_delay_another(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier(concurrency=1)
        await outbox.add_message(0, *(f"+1{number:03}" for number in range(200)))
        await outbox.add_message(0, "+2", account_sid=OTHER_ACCOUNT)
        async with outbox.running(virtual=carrier):
            await outbox.until(lambda: _count_is(carrier, 201))
        order = [each.account_sid for each in carrier.sent]
        assert order.index(OTHER_ACCOUNT) < 2 * limits.SUBMISSIONS_LOADED_PER_SLOT_MAX

    run_outbox(scenario)


def test_carriers_run_only_between_start_and_stop(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        async with outbox.running(virtual=carrier) as made:
            await outbox.until(lambda: _is_started(carrier))
            text = {
                (sample.name, *sample.labels.values()): sample.value
                for metric in made.collect()
                for sample in metric.samples
            }
            assert text["parlour_carrier_link_up", "virtual", "link 1"] == 1
            assert text["parlour_carrier_queue", "virtual"] == 0
        assert not carrier.is_started

    run_outbox(scenario)


async def _is_started(carrier: ScriptedCarrier) -> bool:
    return carrier.is_started


def test_metrics_count_outcomes_and_reports_by_carrier(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+2", Rejected(21211, "no such number"))
        carrier.script("+3", THROTTLED)
        carrier.script("+4", CarrierUnavailable("link lost"))
        sid = await outbox.add_message(0, "+1", "+2", "+3")
        await outbox.add_message(1, "+5", body="x" * 1601)
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent", "failed", None)
            await outbox.until(lambda: _is_retried(outbox))
            last = await outbox.add_message(2, "+4")
            await outbox.until(lambda: _has(carrier, "+4", 1))
            await outbox.report("virtual", "delivered", reference=carrier.sent[0].reference)
            await outbox.report("virtual", "delivered", reference="SM" + "0" * 32)
        assert last
        counted = {name: outbox.metrics.outcomes["virtual", name] for name in _OUTCOMES}
        assert counted == dict.fromkeys(_OUTCOMES, 1)
        assert outbox.metrics.reports == {("virtual", "delivered"): 1, ("virtual", "unknown"): 1}

    run_outbox(scenario)


_OUTCOMES = ("sent", "rejected", "retried", "unavailable", "refused")
