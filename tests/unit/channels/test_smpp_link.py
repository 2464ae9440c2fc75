"""The reader of an SMPP link without a network: any bytes, in any parts."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.channels.carrier import CarrierUnavailable
from parlour.channels.smpp import pdus
from parlour.channels.smpp.carrier import SmppOptions
from parlour.channels.smpp.link import LinkFailed, PendingDelivery, SmppLink
from parlour.channels.smpp.pdus import SubmitPdu
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

OPTIONS = SmppOptions(hosts=("x",), system_id="x", response_seconds=0.05, enquire_seconds=0.05)
DELIVER_RESPONSES = (0x8000_0005, 0x8000_0103)
SUBMIT = SubmitPdu(1, 1, "1", 1, 1, "2", b"x", 0)


class MemoryTransport:
    """Collects the written bytes; closes as a transport of asyncio does, in the next turn."""

    def __init__(self, link: SmppLink) -> None:
        self.link = link
        self.written = bytearray()
        self.is_reading = True
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.link.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        assert self.is_reading
        self.is_reading = False

    def resume_reading(self) -> None:
        assert not self.is_reading
        self.is_reading = True

    def get_extra_info(self, name: str) -> str:
        return name

    def sent(self) -> list[tuple[int, int, int]]:
        """Return command, status and sequence number of each PDU that was written."""
        found, place = [], 0
        while place < len(self.written):
            length, command, status, sequence = struct.unpack_from(">IIII", self.written, place)
            found.append((command, status, sequence))
            place += length
        return found


async def accept(delivery: PendingDelivery) -> None:
    delivery.respond(0)


async def bound(
    deliver: Callable[[PendingDelivery], Awaitable[None]] = accept,
) -> tuple[SmppLink, MemoryTransport]:
    link = SmppLink(pdus.BIND_TRANSCEIVER, OPTIONS, deliver)
    transport = MemoryTransport(link)
    link.connection_made(cast("Any", transport))
    bind = asyncio.create_task(link.bind())
    await asyncio.sleep(0)
    link.data_received(pdus.build_response(pdus.BIND_TRANSCEIVER, 1))
    await bind
    transport.written.clear()
    return link, transport


def header(command: int, sequence: int, *, length: int = 16, status: int = 0) -> bytes:
    return struct.pack(">IIII", length, command, status, sequence)


PDUS = st.one_of(
    st.builds(
        header,
        st.sampled_from([0x15, 0x8000_0015, 0x102, 0x77, 0x8000_0000, 0x8000_0004, 0x8000_0009]),
        st.integers(0, 20),
        status=st.integers(0, 0x100),
    ),
    st.builds(
        lambda body, command: header(command, 9, length=16 + len(body)) + body,
        st.binary(max_size=60),
        st.sampled_from([5, 0x103]),
    ),
    st.binary(max_size=40),
)


@settings(max_examples=60)
@given(st.lists(PDUS, max_size=20).map(b"".join), st.data())
def test_any_bytes_in_any_parts_are_answered_or_end_the_link(
    received: bytes, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(received)), max_size=8)))

    async def answers(places: list[int]) -> tuple[list[tuple[int, int, int]], bool]:
        link, transport = await bound()
        for start, end in zip([0, *places], [*places, len(received)], strict=True):
            if not transport.is_closed:
                link.data_received(received[start:end])
            assert len(link._buffer) <= limits.SMPP_PDU_BYTES_MAX
            await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        was_closed = transport.is_closed
        link.abort("end of the test")
        await link.closed
        # A link that ends may do so before the response to a message.
        ignored = DELIVER_RESPONSES if was_closed else ()
        return sorted(each for each in transport.sent() if each[0] not in ignored), was_closed

    assert asyncio.run(answers(cuts)) == asyncio.run(answers([]))


def test_reading_stops_at_the_bound_of_messages_in_progress_and_continues() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        seen = []

        async def wait(delivery: PendingDelivery) -> None:
            seen.append(delivery)
            await gate.wait()
            delivery.respond(0)

        link, transport = await bound(wait)
        count = 2 * limits.SMPP_DELIVERIES_AT_ONCE + 5
        link.data_received(b"".join(header(5, number) for number in range(count)))
        await asyncio.sleep(0)
        assert len(seen) == limits.SMPP_DELIVERIES_AT_ONCE
        assert not transport.is_reading
        gate.set()
        while len(transport.sent()) < count:  # noqa: ASYNC110 - nothing signals a write.
            await asyncio.sleep(0)
        assert transport.is_reading
        assert [each[2] for each in transport.sent()] == list(range(count))
        link.abort("end of the test")

    asyncio.run(scenario())


def test_a_peer_that_reads_nothing_stops_submissions_and_ends_the_link() -> None:
    async def scenario() -> None:
        link, transport = await bound()
        link.pause_writing()
        assert not transport.is_reading
        with pytest.raises(CarrierUnavailable, match="reads nothing"):
            await link.submit(SUBMIT)
        assert transport.is_closed

    asyncio.run(scenario())


def test_reading_continues_with_writing() -> None:
    async def scenario() -> None:
        link, transport = await bound()
        link.pause_writing()
        link.data_received(header(0x15, 3))
        assert not transport.sent()
        link.resume_writing()
        assert transport.sent() == [(0x8000_0015, 0, 3)]
        assert transport.is_reading
        link.abort("end of the test")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (header(0x8000_0004, 2, length=19) + b"id\0", 0),
        (header(0x8000_0004, 2, status=0x58), 0x58),
        (header(0x8000_0000, 2, status=0x03), 0x03),
        (header(0x8000_0000, 2, status=0), 0x03),
    ],
)
def test_a_response_or_a_nack_of_the_same_number_is_the_outcome(
    response: bytes, status: int
) -> None:
    async def scenario() -> None:
        link, _ = await bound()
        submit = asyncio.create_task(link.submit(SUBMIT))
        await asyncio.sleep(0)
        # Of another number, of another command, and twice: ignored.
        link.data_received(header(0x8000_0004, 77) + header(0x8000_0015, 2) + response * 2)
        found, message_id = await submit
        assert (found, message_id) == (status, "id" if status == 0 else "")
        link.abort("end of the test")

    asyncio.run(scenario())


def test_a_message_in_the_same_read_as_the_response_to_the_bind_is_delivered() -> None:
    async def scenario() -> None:
        link = SmppLink(pdus.BIND_TRANSCEIVER, OPTIONS, accept)
        transport = MemoryTransport(link)
        link.connection_made(cast("Any", transport))
        bind = asyncio.create_task(link.bind())
        await asyncio.sleep(0)
        transport.written.clear()
        link.data_received(pdus.build_response(pdus.BIND_TRANSCEIVER, 1) + header(5, 4))
        await bind
        assert transport.sent() == [(0x8000_0005, 0, 4)]
        link.abort("end of the test")

    asyncio.run(scenario())


def test_a_message_before_the_bind_is_refused() -> None:
    async def scenario() -> None:
        link = SmppLink(pdus.BIND_TRANSCEIVER, OPTIONS, accept)
        transport = MemoryTransport(link)
        link.connection_made(cast("Any", transport))
        link.data_received(header(5, 4))
        assert transport.sent() == [(0x8000_0005, 4, 4)]

    asyncio.run(scenario())


def test_an_smsc_that_never_answers_the_bind_fails_it() -> None:
    async def scenario() -> None:
        link = SmppLink(pdus.BIND_TRANSCEIVER, OPTIONS, accept)
        transport = MemoryTransport(link)
        link.connection_made(cast("Any", transport))
        with pytest.raises(LinkFailed, match="does not respond"):
            await link.bind()
        assert transport.is_closed

    asyncio.run(scenario())


def test_a_submission_whose_lease_was_lost_while_it_waited_is_not_sent() -> None:
    async def scenario() -> None:
        link, transport = await bound()
        is_owner = True

        def require_lease() -> None:
            if not is_owner:
                raise CarrierUnavailable("the lease term is over")

        link._pace.delay(asyncio.get_running_loop().time() + 0.01)
        submit = asyncio.create_task(link.submit(SUBMIT, require_lease))
        await asyncio.sleep(0)
        is_owner = False
        with pytest.raises(CarrierUnavailable, match="lease"):
            await submit
        assert not transport.sent()
        link.abort("end of the test")

    asyncio.run(scenario())


def test_a_lost_link_ends_the_delay_of_submissions() -> None:
    async def scenario() -> None:
        link, _ = await bound()
        link._pace.delay(asyncio.get_running_loop().time() + 3600)
        submit = asyncio.create_task(link.submit(SUBMIT))
        await asyncio.sleep(0)
        link.abort("test")
        with pytest.raises(CarrierUnavailable, match="test"):
            await submit

    asyncio.run(scenario())


def test_a_late_response_frees_nothing_twice() -> None:
    async def scenario() -> None:
        link, _ = await bound()
        with pytest.raises(CarrierUnavailable, match="does not respond"):
            await link.submit(SUBMIT)
        link.data_received(header(0x8000_0004, 2))
        assert link.in_flight <= 1
        link.abort("end of the test")

    asyncio.run(scenario())
