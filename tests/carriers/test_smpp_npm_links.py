"""The links of SMPP: TLS, keep-alive, several links, hostile SMSCs, and the end of a session."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import TYPE_CHECKING

import pytest

from parlour.channels.carrier import Accepted, CarrierUnavailable
from parlour.protocol.certificates import make_authority, make_certificate
from parlour.vocabulary import limits
from tests.carriers.smpp_peers import NodeSmsc, ScriptedSink, make_carrier, outbound, started, until

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.channels.smpp.adapter import SmppCarrier


def pdu(command: int, sequence: int = 99, body: bytes = b"", status: int = 0) -> str:
    return (struct.pack(">IIII", 16 + len(body), command, status, sequence) + body).hex()


def test_tls_requires_a_certificate_of_a_trusted_authority(tmp_path: Path) -> None:
    now_ms = int(time.time() * 1000)
    authority = make_authority(["127.0.0.1"], now_ms, b"1" * 16)
    pair = make_certificate(authority, ["127.0.0.1"], now_ms, b"2" * 16)
    trusted = tmp_path / "authority.pem"
    trusted.write_bytes(authority.certificate_pem)

    async def scenario() -> None:
        files = {"key": pair.key_pem.decode(), "cert": pair.certificate_pem.decode()}
        async with NodeSmsc.running(**files) as smsc:
            unknown = make_carrier(smsc.port, ScriptedSink(), tls=True)
            (state,) = await unknown.check()
            assert not state.is_up
            assert "certificate verify failed" in state.detail
            plain = make_carrier(smsc.port, ScriptedSink(), response_seconds=0.5)
            assert not (await plain.check())[0].is_up
            (state,) = await make_carrier(
                smsc.port, ScriptedSink(), tls=True, tls_ca_file=str(tmp_path / "missing.pem")
            ).check()
            assert "No such file" in state.detail
            unverified = make_carrier(smsc.port, ScriptedSink(), tls=True, tls_verify=False)
            assert (await unverified.check())[0].is_up
            options = {"tls": True, "tls_ca_file": str(trusted)}
            async with started(make_carrier(smsc.port, ScriptedSink(), **options)) as carrier:
                assert isinstance(await carrier.send(outbound("hello")), Accepted)
            other_name = make_carrier(
                smsc.port, ScriptedSink(), tls_server_name="smsc.example", **options
            )
            assert "certificate verify failed" in (await other_name.check())[0].detail

    asyncio.run(scenario())


def test_an_idle_link_sends_enquire_link_and_ends_without_a_response() -> None:
    async def scenario() -> None:
        options = {"enquire_seconds": 0.1, "response_seconds": 0.3}
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, ScriptedSink(), **options)) as carrier,
        ):
            await smsc.events("enquire", 2)
            assert carrier.links()[0].is_up
            await smsc.command("quiet", on=True)
            await smsc.event("closed")
            await smsc.command("quiet", on=False)
            await until(lambda: carrier.links()[0].is_up)
            await smsc.events("bind", 2)

    asyncio.run(scenario())


def test_the_smscs_own_requests_get_their_responses() -> None:
    async def scenario() -> None:
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, ScriptedSink())) as carrier,
        ):
            await smsc.command("raw", hex=pdu(0x15))
            await smsc.event("enquired")
            # alert_notification and an unknown response get none, an unknown request a nack.
            await smsc.command("raw", hex=pdu(0x102) + pdu(0x8000_0004) + pdu(0x77))
            assert (await smsc.event("nack"))["status"] == 3
            assert carrier.links()[0].is_up
            await smsc.command("unbind")
            await smsc.event("closed")
            await smsc.events("bind", 2)

    asyncio.run(scenario())


@pytest.mark.parametrize("length", [0, 15, limits.SMPP_PDU_BYTES_MAX + 1, 0xFFFF_FFFF])
def test_an_impossible_length_ends_the_link_with_a_nack(length: int) -> None:
    async def scenario() -> None:
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, ScriptedSink())):
            await smsc.command("raw", hex=struct.pack(">IIII", length, 5, 0, 1).hex())
            assert (await smsc.event("nack"))["status"] == 2
            await smsc.event("closed")
            await smsc.events("bind", 2)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "body", [b"", b"\0", b"x" * 30, b"\0\1\1", b"\0\1\1123\0\1\1456\0" + b"\0" * 9 + b"\xffab"]
)
def test_a_malformed_message_is_refused_for_good_and_the_link_stays(body: bytes) -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)) as carrier:
            await smsc.command("raw", hex=pdu(5, body=body))
            await smsc.deliver("x", "still here")
            assert (await smsc.event("delivered"))["status"] == 0
            assert carrier.links()[0].is_up
            assert sink.bodies == ["still here"]

    asyncio.run(scenario())


def test_a_flood_of_messages_is_processed_in_bounded_numbers_and_completely() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(gate=asyncio.Event())
        assert sink.gate is not None
        async with NodeSmsc.running() as smsc, started(make_carrier(smsc.port, sink)) as carrier:
            count = 3 * limits.SMPP_DELIVERIES_AT_ONCE
            for number in range(count):
                await smsc.deliver("x", f"message {number}", source_addr=f"1555{number:07}")
            await until(lambda: sink.calls == limits.SMPP_DELIVERIES_AT_ONCE)
            link = carrier._keepers[0].link
            assert link is not None
            assert len(link._deliveries) == limits.SMPP_DELIVERIES_AT_ONCE
            sink.gate.set()
            answers = await smsc.events("delivered", count)
            assert {each["status"] for each in answers} == {0}
            assert len(sink.stored) == count

    asyncio.run(scenario())


def test_several_links_share_the_messages_and_one_is_enough() -> None:
    async def scenario() -> None:
        async with NodeSmsc.running() as first, NodeSmsc.running() as second:
            hosts = [f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"]
            options = {"hosts": hosts, "window": 2}
            async with started(make_carrier(0, ScriptedSink(), **options)) as carrier:
                assert carrier.concurrency == 4
                for number in range(4):
                    await first.rule(f"1555000{number}", silent=True)
                    await second.rule(f"1555000{number}", silent=True)
                sends = [
                    asyncio.create_task(carrier.send(outbound("x", to=f"+1555000{n}", number=n)))
                    for n in range(4)
                ]
                await first.events("submit", 2)
                await second.events("submit", 2)
                await first.command("drop")
                await second.command("drop")
                results = await asyncio.gather(*sends, return_exceptions=True)
                assert {type(each) for each in results} == {CarrierUnavailable}
                await until(lambda: any(each.is_up for each in carrier.links()))
                assert isinstance(await carrier.send(outbound("one link")), Accepted)

    asyncio.run(scenario())


def test_separate_sessions_send_by_the_transmitter_and_receive_by_the_receiver() -> None:
    async def scenario() -> None:
        sink = ScriptedSink()
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, sink, bind="separate")) as carrier,
        ):
            kinds = {each["kind"] for each in await smsc.events("bind", 2)}
            assert kinds == {"bind_transmitter", "bind_receiver"}
            assert isinstance(await carrier.send(outbound("hello")), Accepted)
            # The transmitter rejects the message, the receiver stores it.
            await smsc.command("raw", hex=pdu(5, body=b"\0\1\1123\0\1\1456\0" + b"\0" * 9 + b"\1a"))
            await until(lambda: sink.inbounds)
            assert sink.bodies == ["a"]

    asyncio.run(scenario())


def test_a_stop_waits_for_responses_and_messages_in_progress_and_unbinds() -> None:
    async def scenario() -> None:
        sink = ScriptedSink(gate=asyncio.Event())
        assert sink.gate is not None
        async with NodeSmsc.running() as smsc:
            carrier = make_carrier(smsc.port, sink)
            async with started(carrier):
                await smsc.deliver("last", "last words")
                await until(lambda: sink.calls)
                stop = asyncio.create_task(carrier.stop())
                await until(lambda: not _is_bound(carrier))
                sink.gate.set()
                assert (await smsc.event("delivered"))["status"] == 0
                await smsc.event("unbind")
                await stop
                with pytest.raises(CarrierUnavailable):
                    await carrier.send(outbound("too late"))

    asyncio.run(scenario())


def test_the_rate_of_a_link_is_bounded_by_the_option() -> None:
    async def scenario() -> None:
        options = {"messages_per_second": 50, "window": 100}
        async with (
            NodeSmsc.running() as smsc,
            started(make_carrier(smsc.port, ScriptedSink(), **options)) as carrier,
        ):
            began = time.monotonic()
            sends = [carrier.send(outbound("x", number=number)) for number in range(26)]
            outcomes = await asyncio.gather(*sends)
            assert all(isinstance(each, Accepted) for each in outcomes)
            assert time.monotonic() - began >= 25 / 50

    asyncio.run(scenario())


def _is_bound(carrier: SmppCarrier) -> bool:
    return any(each.is_up for each in carrier.links())
