"""The SMPP carrier against `smpp34.Server`, a second independent implementation (Rust)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import smpp34

from parlour.channels.carrier import Accepted, CarrierUnavailable, Rejected
from parlour.protocol.sms_segments import decode_gsm7
from tests.carriers.smpp_peers import (
    OUR_NUMBER,
    PHONE,
    SECONDS_MAX,
    ScriptedSink,
    make_carrier,
    outbound,
    started,
    until,
)
from tests.support.ports import ReservedPort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from parlour.channels.smpp.adapter import SmppCarrier

REJECTED = "+15550000099"
THROTTLED = "+15550000088"
UNDELIVERABLE = "+15550000077"
EARLY = "+15550000055"
HELD = "+15550000044"


class RustSmsc:
    """Runs the server; what a destination does is in the constants above."""

    def __init__(self, port: int) -> None:
        self.server = smpp34.Server("127.0.0.1", port, system_id="RUST")
        self.submits: list[Any] = []
        self.esmes: list[Any] = []
        self.responses: list[int] = []
        self._tasks: set[asyncio.Future[Any]] = set()

    @classmethod
    @asynccontextmanager
    async def running(cls, port: int) -> AsyncIterator[RustSmsc]:
        smsc = cls(port)
        await smsc._listen()
        task = asyncio.create_task(smsc._run())
        try:
            yield smsc
        finally:
            task.cancel()
            await asyncio.wait([task, *smsc._tasks])
            await smsc.server.stop()

    async def _listen(self) -> None:
        # The port is in use until the kernel has closed the sessions of an earlier server.
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                try:
                    await self.server.start()
                except smpp34.SmppError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def _run(self) -> None:
        while True:
            event = await self.server.next()
            if isinstance(event, smpp34.Esme):
                self.esmes.append(event)
            elif isinstance(event, smpp34.SubmitSmEvent):
                self.submits.append(event)
                await self._answer(event)

    async def _answer(self, event: Any) -> None:
        destination = "+" + event.destination_addr
        message_id = f"{len(self.submits) + 10:08X}"
        if destination == HELD:
            return
        if destination == REJECTED:
            event.reject(smpp34.ESME_RINVDSTADR)
        elif destination == THROTTLED:
            event.reject(smpp34.ESME_RTHROTTLED)
        elif destination == EARLY:
            await self.receipt(event, message_id, "DELIVRD", 2)
            event.accept(message_id)
        else:
            event.accept(message_id)
            state = ("UNDELIV", 5) if destination == UNDELIVERABLE else ("DELIVRD", 2)
            self._tasks.add(asyncio.ensure_future(self.receipt(event, message_id, *state)))

    async def receipt(self, event: Any, message_id: str, stat: str, state: int) -> None:
        text = f"id:{message_id} sub:001 dlvrd:001 stat:{stat} err:000 text:"
        # Without a zero octet at its end, as some SMSCs send it, and without zeros at the start.
        named = message_id.lstrip("0").lower().encode()
        await self.deliver(
            text.encode(),
            sender="+" + event.destination_addr,
            esm_class=4,
            tlvs=[
                smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, named),
                smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, bytes((state,))),
                smpp34.Tlv(0x1401, b"unknown parameter"),
            ],
        )

    async def deliver(self, content: bytes, *, sender: str = PHONE, **fields: Any) -> int:
        response = await self.esmes[-1].deliver_sm(
            OUR_NUMBER.removeprefix("+"),
            content,
            source_addr=sender.removeprefix("+"),
            source_addr_ton=1,
            source_addr_npi=1,
            dest_addr_ton=1,
            dest_addr_npi=1,
            **fields,
        )
        self.responses.append(response.command_status)
        status: int = response.command_status
        return status


@asynccontextmanager
async def connected(
    sink: ScriptedSink, **options: Any
) -> AsyncIterator[tuple[RustSmsc, SmppCarrier]]:
    with ReservedPort() as port:
        async with (
            RustSmsc.running(port.number) as smsc,
            started(make_carrier(port.number, sink, **options)) as carrier,
        ):
            await until(lambda: smsc.esmes)
            async with asyncio.timeout(SECONDS_MAX):
                yield smsc, carrier


def test_texts_of_any_length_and_alphabet_arrive_and_are_reported() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with connected(sink) as (smsc, carrier):
            texts = ["hello @ {€}", "A" * 459, "Привет 😀", "😀" * 70]
            outcomes = [
                await carrier.send(outbound(text, number=number))
                for number, text in enumerate(texts)
            ]
            assert [_joined(smsc, text) for text in texts] == [1, 3, 1, 3]
            named = [
                each
                for outcome in outcomes
                if isinstance(outcome, Accepted)
                for each in outcome.provider_ids
            ]
            assert len(named) == 8
            await until(lambda: len(sink.reports) == 8)
            assert {each.provider_id for each in sink.reports} == set(named)
            assert {each.status for each in sink.reports} == {"delivered"}
            assert max(_octets_on_the_air(each) for each in smsc.submits) <= 140

    asyncio.run(scenario())


def test_rejections_throttling_and_undeliverable_messages_have_their_codes() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with connected(sink) as (_, carrier):
            rejected = await carrier.send(outbound("x", to=REJECTED))
            throttled = await carrier.send(outbound("x", to=THROTTLED))
            assert isinstance(rejected, Rejected)
            assert isinstance(throttled, Rejected)
            assert (rejected.code, rejected.retry_after_seconds) == (21211, None)
            assert (throttled.code, throttled.retry_after_seconds) == (30001, 1)
            await carrier.send(outbound("x", to=UNDELIVERABLE))
            await until(lambda: sink.reports)
            assert (sink.reports[0].status, sink.reports[0].error_code) == ("undelivered", 30005)

    asyncio.run(scenario())


def test_a_receipt_may_come_before_the_response_and_again_after_an_error() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(errors=[OSError("no disk")])
        async with connected(sink) as (smsc, carrier):
            outcome = await carrier.send(outbound("x", to=EARLY))
            assert isinstance(outcome, Accepted)
            assert smsc.responses == [0x64]
            await smsc.receipt(smsc.submits[0], "0000000b".upper(), "DELIVRD", 2)
            assert smsc.responses == [0x64, 0]
            assert [each.provider_id for each in sink.reports] == list(outcome.provider_ids)

    asyncio.run(scenario())


def test_inbound_messages_are_acknowledged_after_they_are_stored() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(errors=[OSError("no disk")])
        async with connected(sink) as (smsc, _):
            assert await smsc.deliver("Привет 😀".encode("utf-16-be"), data_coding=8) == 0x64
            assert await smsc.deliver("Привет 😀".encode("utf-16-be"), data_coding=8) == 0
            reference, content = b"\x05\x00\x03\x2a\x02", (b"first ", b"second")
            waiting = asyncio.ensure_future(
                smsc.deliver(reference + b"\x02" + content[1], esm_class=0x40)
            )
            assert await smsc.deliver(reference + b"\x01" + content[0], esm_class=0x40) == 0
            assert await waiting == 0
            assert sink.bodies == ["Привет 😀", "first second"]

    asyncio.run(scenario())


def test_the_end_of_the_server_fails_the_window_and_its_return_opens_the_link() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        with ReservedPort() as port:
            carrier = make_carrier(port.number, sink)
            async with RustSmsc.running(port.number) as smsc:
                await carrier.start()
                await until(lambda: carrier.links()[0].is_up)
                sends = [
                    asyncio.create_task(carrier.send(outbound("x", to=HELD, number=number)))
                    for number in range(5)
                ]
                await until(lambda: len(smsc.submits) == 5)
                smsc.esmes.clear()
                smsc.submits.clear()
            link = carrier._keepers[0].link
            if link is not None:
                # The server leaves the connections of its sessions open.
                link.abort("test")
            results = await asyncio.gather(*sends, return_exceptions=True)
            # An unanswered event that is dropped is a temporary error of this server.
            assert all(isinstance(each, CarrierUnavailable | Rejected) for each in results)
            async with RustSmsc.running(port.number):
                await until(lambda: carrier.links()[0].is_up)
                assert isinstance(await carrier.send(outbound("again")), Accepted)
                await carrier.stop()

    asyncio.run(scenario())


@pytest.mark.slow
def test_thousands_of_messages_on_one_link_are_all_accepted_and_reported() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with connected(sink, window=50) as (_, carrier):
            total = 3000
            running: set[str] = set()

            async def send_all(start: int) -> None:
                for number in range(start, total, 50):
                    outcome = await carrier.send(outbound(f"message {number}", number=number))
                    assert isinstance(outcome, Accepted)
                    running.update(outcome.provider_ids)

            await asyncio.gather(*(send_all(start) for start in range(50)))
            await until(lambda: len(sink.reports) == total)
            assert {each.provider_id for each in sink.reports} == running
            assert len(running) == total

    asyncio.run(scenario())


def _joined(smsc: RustSmsc, text: str) -> int:
    """Return how many submissions made up a text; it must be one message of all parts."""
    found = [each for each in smsc.submits if _text_of(each) and _text_of(each) in text]
    parts = sorted(found, key=lambda each: each.short_message[5] if each.esm_class else 0)
    assert "".join(_text_of(each) for each in parts) == text
    return len(parts)


def _text_of(submit: Any) -> str:
    content = submit.short_message
    content = content[content[0] + 1 :] if submit.esm_class & 0x40 else content
    if submit.data_coding == 8:
        decoded: str = content.decode("utf-16-be")
        return decoded
    return decode_gsm7(content)


def _octets_on_the_air(submit: Any) -> int:
    """Return the octets of a segment, septets packed behind their header."""
    content = submit.short_message
    header = content[0] + 1 if submit.esm_class & 0x40 else 0
    if submit.data_coding == 8:
        return len(content)
    septets = -(-header * 8 // 7) + len(content) - header
    return -(-septets * 7 // 8)
