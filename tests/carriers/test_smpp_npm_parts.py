"""Long inbound messages over SMPP: their parts, in any order, from an SMSC on npm smpp."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from parlour.channels.carrier import InboundRefused
from tests.carriers.smpp_peers import (
    OUR_NUMBER,
    PHONE,
    NodeSmsc,
    ScriptedSink,
    make_carrier,
    started,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Part = dict[str, Any]


def udh8(number: int, total: int, message: Any, reference: int = 7) -> Part:
    udh = bytes((5, 0, 3, reference, total, number)).hex()
    return {"short_message": {"udh": udh, "message": message}, "esm_class": 0x40}


def udh16(number: int, total: int, message: Any) -> Part:
    # An unrelated element comes first.
    udh = bytes((10, 0x70, 2, 1, 2, 8, 4, 1, 44, total, number)).hex()
    return {"short_message": {"udh": udh, "message": message}, "esm_class": 0x40}


def sar(number: int, total: int, message: Any) -> Part:
    return {
        "short_message": message,
        "sar_msg_ref_num": 300,
        "sar_total_segments": total,
        "sar_segment_seqnum": number,
    }


async def deliver(smsc: NodeSmsc, tag: str, part: Part, **pdu: Any) -> None:
    fields = dict(part)
    await smsc.deliver(tag, fields.pop("short_message"), **fields, **pdu)


@pytest.mark.parametrize("make_part", [udh8, udh16, sar])
def test_parts_out_of_order_are_joined_and_acknowledged_once_all_are_stored(
    make_part: Callable[..., Part],
) -> None:
    async def scenario() -> None:
        sink = ScriptedSink(gate=asyncio.Event())
        assert sink.gate is not None
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)):
            texts = ["one {", "€ two", " three"]
            for number in (3, 1):
                await deliver(smsc, str(number), make_part(number, 3, texts[number - 1]))
            # A whole message, and a part of another sender, do not disturb.
            other = make_part(2, 3, "unrelated")
            await deliver(smsc, "other", other, source_addr="15559990000")
            await deliver(smsc, "2", make_part(2, 3, texts[1]))
            await until(lambda: sink.calls)
            sink.gate.set()
            answers = await smsc.events("delivered", 3)
            assert {(each["tag"], each["status"]) for each in answers} == {
                ("1", 0),
                ("2", 0),
                ("3", 0),
            }
            assert sink.bodies == ["one {€ two three"]
            assert (sink.inbounds[0].sender, sink.inbounds[0].receiver) == (PHONE, OUR_NUMBER)

    asyncio.run(scenario())


def test_a_character_that_is_divided_between_parts_is_joined() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)):
            octets = "А😀".encode("utf-16-be")
            for number, content in enumerate((octets[:4], octets[4:]), 1):
                await deliver(smsc, "x", sar(number, 2, {"hex": content.hex()}), data_coding=8)
            await smsc.events("delivered", 2)
            assert sink.bodies == ["А😀"]

    asyncio.run(scenario())


@pytest.mark.parametrize("command", ["deliver", "data"])
def test_a_message_payload_is_stored(command: str) -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)):
            pdu = {
                "source_addr": PHONE.removeprefix("+"),
                "destination_addr": OUR_NUMBER.removeprefix("+"),
                "message_payload": {"hex": ("p" * 1600).encode().hex()},
            }
            await smsc.command(command, tag="x", pdu=pdu)
            assert (await smsc.event("delivered"))["status"] == 0
            assert sink.bodies == ["p" * 1600]

    asyncio.run(scenario())


def test_an_smsc_that_waits_for_each_response_gets_its_parts_joined() -> None:
    """The first part gets a temporary error and is acknowledged once it is delivered again."""

    async def scenario() -> None:
        sink = ScriptedSink()
        carrier = make_carrier(0, sink, part_seconds=0)
        async with NodeSmsc.running() as smsc:
            carrier = make_carrier(smsc.port, sink, part_seconds=0)
            async with started(carrier):
                statuses = []
                for number in (1, 2, 1):
                    await deliver(smsc, "x", udh8(number, 2, f"part {number}."))
                    statuses.append((await smsc.event("delivered"))["status"])
                assert statuses == [0x64, 0, 0]
                assert sink.bodies == ["part 1.part 2."]
                # The same part again belongs to another message.
                await deliver(smsc, "x", udh8(1, 2, "part 1."))
                assert (await smsc.event("delivered"))["status"] == 0x64

    asyncio.run(scenario())


def test_parts_of_a_message_that_was_not_stored_get_errors_and_are_joined_again() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(errors=[OSError("no disk")])
        options = {"part_seconds": 3600}
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink, **options)):
            for expected in ([0x64, 0x64], [0, 0]):
                for number in (1, 2):
                    await deliver(smsc, "x", udh8(number, 2, f"part {number}."))
                answers = await smsc.events("delivered", 2)
                assert [each["status"] for each in answers] == expected
            assert sink.bodies == ["part 1.part 2."]
            assert sink.calls == 2

    asyncio.run(scenario())


def test_parts_to_an_unknown_number_are_refused_for_good() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(errors=[InboundRefused("no such number")])
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)):
            for number in (1, 2):
                await deliver(smsc, "x", udh8(number, 2, "x"))
            answers = await smsc.events("delivered", 2)
            assert [each["status"] for each in answers] == [0x65, 0x65]

    asyncio.run(scenario())


def test_a_missing_part_is_logged_and_the_others_are_never_acknowledged() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        options = {"part_seconds": 0.05, "join_seconds": 0.1}
        with capture_logs() as logged:
            async with (
                NodeSmsc.running() as smsc,
                started(make_carrier(smsc.port, sink, **options)) as carrier,
            ):
                await deliver(smsc, "x", udh8(1, 3, "one"))
                await deliver(smsc, "x", udh8(3, 3, "three"))
                answers = await smsc.events("delivered", 2)
                assert {each["status"] for each in answers} == {0x64}
                await until(lambda: not carrier._joiner.part_count)
        (missing,) = [each for each in logged if each["event"] == "inbound_part_missing"]
        assert (missing["code"], missing["missing"], missing["parts"]) == (30009, (2,), 3)
        assert "sender" not in missing
        assert not sink.inbounds

    asyncio.run(scenario())


def test_a_crash_between_two_parts_loses_none_of_them() -> None:
    """The carrier is not stopped: its memory is lost, as by a crash, and a second one starts."""

    async def scenario() -> None:
        sink = ScriptedSink()
        async with NodeSmsc.running() as smsc:
            first = make_carrier(smsc.port, sink)
            await first.start()
            await smsc.event("bind")
            await deliver(smsc, "lost", udh8(1, 2, "part 1."))
            await until(lambda: first._joiner.part_count)
            for keeper in first._keepers:
                assert keeper.link is not None
                keeper.link.abort("crash")
            await smsc.event("closed")
            async with started(make_carrier(smsc.port, sink)):
                # No response came, so the SMSC delivers it again.
                for number in (1, 2):
                    await deliver(smsc, "again", udh8(number, 2, f"part {number}."))
                answers = await smsc.events("delivered", 2)
                assert {(each["tag"], each["status"]) for each in answers} == {("again", 0)}
            await first.stop()
            assert sink.bodies == ["part 1.part 2."]

    asyncio.run(scenario())


def test_with_the_option_parts_are_acknowledged_when_they_are_received() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        options = {"acknowledge_parts": "received"}
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink, **options)):
            for number in (1, 2):
                await deliver(smsc, "x", udh8(number, 2, f"part {number}."))
                assert (await smsc.event("delivered"))["status"] == 0
            assert sink.bodies == ["part 1.part 2."]

    asyncio.run(scenario())
