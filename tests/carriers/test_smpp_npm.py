"""The SMPP carrier against an SMSC on npm smpp, an independent implementation."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from parlour.channels.carrier import (
    Accepted,
    CarrierUnavailable,
    InboundRefused,
    Rejected,
)
from tests.carriers.smpp_peers import (
    OUR_NUMBER,
    PHONE,
    NodeSmsc,
    ScriptedSink,
    make_carrier,
    outbound,
    started,
    until,
)

if TYPE_CHECKING:
    from parlour.channels.carrier import InboundMessage

DELIVERED = {"stat": "DELIVRD"}


def test_a_text_is_submitted_and_its_receipt_names_it() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)) as carrier:
            bind = await smsc.event("bind")
            assert (bind["kind"], bind["id"], bind["version"]) == (
                "bind_transceiver",
                "parlour",
                0x34,
            )
            await smsc.rule(PHONE, receipts=[DELIVERED])
            outcome = await carrier.send(outbound("hello @ £ {€}"))
            submit = await smsc.event("submit")
            assert submit["text"] == "hello @ £ {€}"
            assert submit["source"] == [1, 1, "15017122661"]
            assert submit["to"] == [1, 1, "15558675310"]
            assert (submit["coding"], submit["esm"], submit["registered"]) == (0, 0, 1)
            assert (await smsc.event("receipt"))["status"] == 0
            assert isinstance(outcome, Accepted)
            (report,) = sink.reports
            assert (report.status, report.error_code) == ("delivered", 0)
            assert (report.provider_id,) == outcome.provider_ids

    asyncio.run(scenario())


@pytest.mark.parametrize("form", ["udh", "sar"])
@pytest.mark.parametrize(
    ("text", "coding", "parts"),
    [
        ("a" * 152 + "€" + "b" * 160, 0, ["a" * 152, "€" + "b" * 151, "b" * 9]),
        ("П" * 66 + "😀" + "ж" * 10, 8, ["П" * 66, "😀" + "ж" * 10]),
        ("😀" * 36, 8, ["😀" * 33, "😀" * 3]),
    ],
)
def test_a_long_text_is_submitted_in_parts_that_join(
    form: str, text: str, coding: int, parts: list[str]
) -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, sink, long_messages=form)) as carrier,
        ):
            await smsc.rule(PHONE, receipts=[DELIVERED])
            outcome = await carrier.send(outbound(text))
            assert isinstance(outcome, Accepted)
            submits = await smsc.events("submit", len(parts))
            assert [each["text"] for each in submits] == parts
            assert {each["coding"] for each in submits} == {coding}
            assert {each["registered"] for each in submits} == {1}
            if form == "udh":
                headers = [bytes.fromhex(each["udh"][0]) for each in submits]
                assert len({header[2] for header in headers}) == 1
                places = [(header[0], header[3], header[4]) for header in headers]
                assert places == [(0, len(parts), number) for number in range(1, len(parts) + 1)]
            else:
                places = [each["sar"][1:] for each in submits]
                assert places == [[len(parts), number] for number in range(1, len(parts) + 1)]
                assert len({each["sar"][0] for each in submits}) == 1
            await smsc.events("receipt", len(parts))
            assert {each.provider_id for each in sink.reports} == set(outcome.provider_ids)
            assert len(outcome.provider_ids) == len(parts)

    asyncio.run(scenario())


def test_a_repeated_submission_has_the_same_number_in_its_parts() -> None:
    async def scenario() -> None:
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, ScriptedSink())) as carrier,
        ):
            for number in (1, 1, 2):
                await carrier.send(outbound("A" * 161, number=number))
            headers = [each["udh"][0] for each in await smsc.events("submit", 6)]
            assert headers[:2] == headers[2:4] != headers[4:]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "code", "retry_after"),
    [
        (0x0B, 21211, None),
        (0x0A, 21606, None),
        (0x01, 30019, None),
        (0x58, 30001, 1),
        (0x14, 30001, 1),
        (0x08, 30008, 10),
        (0x45, 30008, 10),
        (0x64, 30008, 10),
        (0x411, 30008, None),
    ],
)
def test_a_refused_submission_has_the_code_of_its_status(
    status: int, code: int, retry_after: int | None
) -> None:
    async def scenario() -> None:
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, ScriptedSink())) as carrier,
        ):
            await smsc.rule(PHONE, status=status)
            outcome = await carrier.send(outbound("A" * 161))
            assert isinstance(outcome, Rejected)
            assert (outcome.code, outcome.retry_after_seconds) == (code, retry_after)
            # The second part of a rejected message is not submitted.
            await smsc.rule(PHONE)
            assert isinstance(await carrier.send(outbound("next")), Accepted)
            assert [each["text"] for each in await smsc.events("submit", 2)] == ["A" * 153, "next"]

    asyncio.run(scenario())


def test_a_throttled_link_submits_nothing_for_a_second() -> None:
    async def scenario() -> None:
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, ScriptedSink())) as carrier,
        ):
            await smsc.rule(PHONE, status=0x58)
            assert isinstance(await carrier.send(outbound("hello")), Rejected)
            began = time.monotonic()
            assert isinstance(await carrier.send(outbound("x", to="+15550001")), Accepted)
            assert time.monotonic() - began > 0.9

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [0x04, 0x0D, 0x0E, 0x0F])
def test_a_status_of_the_session_ends_the_link_and_keeps_the_message(status: int) -> None:
    async def scenario() -> None:
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, ScriptedSink())) as carrier,
        ):
            await smsc.rule(PHONE, status=status)
            with pytest.raises(CarrierUnavailable):
                await carrier.send(outbound("hello"))
            await smsc.event("closed")
            await smsc.events("bind", 2)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("receipt", "status", "code"),
    [
        ({"stat": "UNDELIV", "err": "001"}, "undelivered", 30005),
        ({"stat": "UNDELIV", "err": "017"}, "undelivered", 30006),
        ({"stat": "EXPIRED", "form": "text"}, "undelivered", 30003),
        ({"stat": "REJECTD", "form": "tlv"}, "undelivered", 30007),
        ({"stat": "DELETED", "form": "both"}, "undelivered", 30008),
        ({"stat": "DELIVRD", "form": "text", "id": "upper"}, "delivered", 0),
        ({"stat": "DELIVRD", "form": "tlv", "id": "short"}, "delivered", 0),
    ],
)
def test_a_receipt_in_any_form_is_reported(receipt: dict[str, str], status: str, code: int) -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, sink, error_codes={"17": 30006})) as carrier,
        ):
            await smsc.rule(PHONE, receipts=[{"stat": "ENROUTE"}, receipt])
            # The identifiers get letters and zeros.
            for number in range(11):
                outcome = await carrier.send(outbound("hello", number=number))
            await smsc.events("receipt", 22)
            assert isinstance(outcome, Accepted)
            report = sink.reports[-1]
            assert (report.status, report.error_code) == (status, code)
            assert (report.provider_id,) == outcome.provider_ids == ("b",)
            # A message in transit has no further status.
            assert len(sink.reports) == 11

    asyncio.run(scenario())


def test_decimal_receipts_of_hexadecimal_identifiers_match_by_the_options() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        options = {"submit_id": "hex", "receipt_id": "decimal"}
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, sink, **options)) as carrier,
        ):
            await smsc.rule(PHONE, upper=True, receipts=[{"stat": "DELIVRD", "id": "decimal"}])
            outcomes = [await carrier.send(outbound("x", number=each)) for each in range(20)]
            await smsc.events("receipt", 20)
            named = [each.provider_ids[0] for each in outcomes if isinstance(each, Accepted)]
            assert [each.provider_id for each in sink.reports] == named
            assert named[-1] == "20"

    asyncio.run(scenario())


def test_a_receipt_before_the_response_is_reported_with_the_identifier_of_the_response() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)) as carrier:
            await smsc.rule(PHONE, receipts=[{"stat": "DELIVRD", "early": True}])
            outcome = await carrier.send(outbound("hello"))
            assert (await smsc.event("receipt"))["status"] == 0
            assert isinstance(outcome, Accepted)
            assert [each.provider_id for each in sink.reports] == list(outcome.provider_ids)

    asyncio.run(scenario())


@pytest.mark.parametrize("rate", [0, 100])
def test_a_lost_link_fails_the_whole_window_and_is_opened_again(rate: float) -> None:
    async def scenario() -> None:
        options = {"response_seconds": 3600, "messages_per_second": rate}
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, ScriptedSink(), **options)) as carrier,
        ):
            await smsc.rule(PHONE, silent=True)
            sends = [asyncio.create_task(carrier.send(outbound("x", number=n))) for n in range(15)]
            # The window is 10; five wait for a place in it.
            await smsc.events("submit", 10)
            link = carrier._keepers[0].link
            assert link is not None
            assert link.in_flight == 10
            await smsc.command("drop")
            results = await asyncio.gather(*sends, return_exceptions=True)
            assert {type(each) for each in results} == {CarrierUnavailable}
            await smsc.rule(PHONE)
            await until(lambda: carrier.links()[0].is_up)
            assert isinstance(await carrier.send(outbound("again")), Accepted)

    asyncio.run(scenario())


def test_without_a_response_the_outcome_is_unknown_and_the_place_in_the_window_is_free() -> None:
    async def scenario() -> None:
        options = {"window": 1, "response_seconds": 0.2}
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, ScriptedSink(), **options)) as carrier,
        ):
            await smsc.rule(PHONE, silent=True)
            with pytest.raises(CarrierUnavailable, match="does not respond"):
                await carrier.send(outbound("hello"))
            await smsc.rule(PHONE)
            assert isinstance(await carrier.send(outbound("hello")), Accepted)

    asyncio.run(scenario())


def test_a_wrong_password_is_named_in_the_state_of_the_link() -> None:
    async def scenario() -> None:
        async with NodeSmsc.running() as smsc:
            carrier = make_carrier(smsc.port, ScriptedSink(), password="wrong")
            (state,) = await carrier.check()
            assert not state.is_up
            assert "0x0e Invalid Password" in state.detail
            await carrier.start()
            await until(lambda: "Invalid Password" in carrier.links()[0].detail)
            with pytest.raises(CarrierUnavailable):
                await carrier.send(outbound("hello"))
            await carrier.stop()

    asyncio.run(scenario())


def test_a_check_opens_and_unbinds_a_link() -> None:
    async def scenario() -> None:
        async with NodeSmsc.running() as smsc:
            carrier = make_carrier(smsc.port, ScriptedSink(), links_per_host=2)
            assert [each.is_up for each in await carrier.check()] == [True, True]
            await smsc.events("unbind", 2)
        assert not any(each.is_up for each in await carrier.check())

    asyncio.run(scenario())


def test_inbound_texts_are_stored_before_they_are_acknowledged_and_in_order() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(gate=asyncio.Event())
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)):
            await smsc.deliver("gsm", "plain @ £ € {ok}", data_coding=0)
            await smsc.deliver(
                "ucs2", {"hex": "Привет 😀".encode("utf-16-be").hex()}, data_coding=8
            )
            await smsc.deliver("latin1", {"hex": "ñ".encode("latin-1").hex()}, data_coding=3)
            await until(lambda: sink.calls)
            assert sink.gate is not None
            sink.gate.set()
            answers = await smsc.events("delivered", 3)
            assert [(each["tag"], each["status"]) for each in answers] == [
                ("gsm", 0),
                ("ucs2", 0),
                ("latin1", 0),
            ]
            assert sink.bodies == ["plain @ £ € {ok}", "Привет 😀", "ñ"]
            assert {(each.sender, each.receiver) for each in sink.inbounds} == {(PHONE, OUR_NUMBER)}

    asyncio.run(scenario())


def test_a_message_that_was_not_stored_is_delivered_again_under_the_same_identifier() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(errors=[OSError("no disk"), InboundRefused("no such number")])
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)):
            statuses = []
            for _ in range(4):
                await smsc.deliver("x", "yes")
                statuses.append((await smsc.event("delivered"))["status"])
            assert statuses == [0x64, 0x65, 0, 0]
            # The second "yes" after the acknowledgement is another message.
            assert len(sink.stored) == 2

    asyncio.run(scenario())


def test_a_message_whose_link_is_lost_before_the_acknowledgement_is_stored_once() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(gate=asyncio.Event())
        assert sink.gate is not None
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)):
            await smsc.deliver("lost", "only once")
            await until(lambda: sink.calls == 1)
            await smsc.command("drop")
            await smsc.events("bind", 2)
            sink.gate.set()
            await until(lambda: sink.inbounds)
            await smsc.deliver("again", "only once")
            assert (await smsc.event("delivered"))["status"] == 0
            assert len(sink.inbounds) == 2
            assert len(sink.stored) == 1

    asyncio.run(scenario())


def test_a_slow_message_delays_later_ones_of_its_sender_only() -> None:
    class SlowAtFirst(ScriptedSink):
        async def inbound(self, message: InboundMessage) -> None:
            gate = self.gate
            if message.body == "one":
                assert gate is not None
                await gate.wait()
            self.inbounds.append(message)

    async def scenario() -> None:
        sink = SlowAtFirst(gate=asyncio.Event())
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)):
            await smsc.deliver("one", "one")
            await smsc.deliver("two", "two")
            await smsc.deliver("three", "three", source_addr="15559990000")
            assert (await smsc.event("delivered"))["tag"] == "three"
            assert sink.bodies == ["three"]
            assert sink.gate is not None
            sink.gate.set()
            answers = await smsc.events("delivered", 2)
            assert [each["tag"] for each in answers] == ["one", "two"]
            assert sink.bodies == ["three", "one", "two"]

    asyncio.run(scenario())
