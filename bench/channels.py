"""``make bench-channels``: messages per second on one SMPP link, against a bare sender.

The SMSC is `smpp34.Server`, in a process on another core. In each round the carrier submits with
and without receipts, and a bare sender writes PDUs that were built before over the same window.
Then a server sends messages to a conversation of 50 phones over the same link, with its outbox and
the receipts in the database. Values are medians over the rounds; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import struct
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import structlog
import uvloop

from bench import goals, machine, report, servers
from bench.api_client import KeepAliveApi
from bench.processes import ROOT, cores_apart, data_folder, pinned_to
from parlour.channels.carrier import Accepted, CarrierContext, OutboundMessage
from parlour.channels.smpp import pdus
from parlour.channels.smpp.carrier import CARRIER_TYPE, SmppOptions
from parlour.channels.smpp.pdus import SubmitPdu
from parlour.vocabulary.clock import SystemClock, SystemRandom
from tests.support.ports import ReservedPort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from parlour.channels.carrier import (
        Carrier,
        DeliveryReport,
        InboundKey,
        InboundMessage,
        UnacknowledgedInbound,
    )

WINDOW = 50
SENDER, PHONE = "+15017122661", "+15558675310"
TEXT = "Your order has left the warehouse."
# As many phones as a conversation may have.
PHONES = 50
BARE, SUBMITS, WITH_RECEIPTS, LONG = (
    "a bare sender",
    "the carrier",
    "the carrier, each message with a receipt",
    "the carrier, messages of three parts (parts)",
)


@dataclass(frozen=True, slots=True)
class ChannelsPlan:
    """How often and how long each sender is measured."""

    rounds: int
    seconds: float
    server_messages: int


FULL = ChannelsPlan(rounds=5, seconds=2.0, server_messages=100)
QUICK = ChannelsPlan(rounds=1, seconds=0.3, server_messages=5)


class CountingSink:
    """Counts reports, and stores nothing: the store is measured elsewhere."""

    def __init__(self) -> None:
        """Start with none."""
        self.reports = 0

    async def inbound(self, message: InboundMessage) -> InboundKey:
        """Fail: this SMSC sends none."""
        raise AssertionError(message)

    def acknowledged(self, key: InboundKey) -> None:
        """Fail, as above."""
        raise AssertionError(key)

    async def unacknowledged(self) -> list[UnacknowledgedInbound]:
        """Return none."""
        return []

    async def acknowledgements_recorded(self) -> None:
        """Return: there is none."""

    async def report(self, report: DeliveryReport) -> None:
        """Count one."""
        assert report.status == "delivered"
        self.reports += 1


@contextmanager
def running_smsc(port: int, cores: frozenset[int]) -> Iterator[Callable[[], int]]:
    """Run the SMSC on its cores; yield what returns the number of messages it accepted."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    with pinned_to(cores):
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.baselines.smsc", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
            cwd=ROOT,
        )
    try:
        stdin, stdout = child.stdin, child.stdout
        assert stdin is not None
        assert stdout is not None
        assert stdout.readline() == b"listening\n"

        def accepted() -> int:
            stdin.write(b"\n")
            stdin.flush()
            return int(stdout.readline())

        yield accepted
    finally:
        child.kill()
        child.wait()


@asynccontextmanager
async def running_carrier(port: int, **options: Any) -> AsyncIterator[tuple[Carrier, CountingSink]]:
    """Run a carrier of one link."""
    sink = CountingSink()
    context = CarrierContext(
        sink=sink,
        egress=cast("Any", None),
        clock=SystemClock(),
        random=SystemRandom(),
        callback_url="",
        open_medium=cast("Any", None),
    )
    values = SmppOptions(hosts=(f"127.0.0.1:{port}",), system_id="bench", window=WINDOW, **options)
    carrier = CARRIER_TYPE.make("bench", values, context)
    await carrier.start()
    while not carrier.links()[0].is_up:  # noqa: ASYNC110 - a poll is cheap.
        await asyncio.sleep(0.01)
    try:
        yield carrier, sink
    finally:
        await carrier.stop()


async def count_of(send: Callable[[int], Awaitable[int]], seconds: float) -> int:
    """Return the units that a full window of senders sent; ``send`` returns its own."""
    sent = 0
    began = time.perf_counter()

    async def keep_sending(start: int) -> None:
        nonlocal sent
        number = start
        while time.perf_counter() - began < seconds:
            units = await send(number)
            sent += units
            number += WINDOW

    await asyncio.gather(*(keep_sending(start) for start in range(WINDOW)))
    return sent


async def carrier_rate(port: int, seconds: float, text: str, **options: Any) -> float:
    """Return accepted parts per second of the carrier; with receipts, of those as well."""
    async with running_carrier(port, **options) as (carrier, sink):

        async def send(number: int) -> int:
            outcome = await carrier.send(
                OutboundMessage(
                    reference=f"SM{number:032x}",
                    account_sid="AC",
                    conversation_sid="CH",
                    message_sid="IM",
                    channel="sms",
                    sender=SENDER,
                    recipients=(PHONE,),
                    is_group=False,
                    body=text,
                )
            )
            assert isinstance(outcome, Accepted)
            return len(outcome.provider_ids)

        began = time.perf_counter()
        sent = await count_of(send, seconds)
        while options["receipts"] and sink.reports < sent:  # noqa: ASYNC110 - a poll is cheap.
            await asyncio.sleep(0.005)
        return sent / (time.perf_counter() - began)


class BareSender(asyncio.Protocol):
    """Binds, writes PDUs that were built before, and counts responses."""

    def __init__(self) -> None:
        """Wait for the response to the bind."""
        loop = asyncio.get_running_loop()
        self.bound: asyncio.Future[None] = loop.create_future()
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        """Match each response with its request by the number."""
        self._buffer += data
        while len(self._buffer) >= 16:
            length, command, _, sequence = struct.unpack_from(">IIII", self._buffer)
            if len(self._buffer) < length:
                return
            del self._buffer[:length]
            if command == pdus.SUBMIT_SM | pdus.RESPONSE:
                self.waiting.pop(sequence).set_result(None)
            else:
                self.bound.set_result(None)


async def bare_rate(port: int, seconds: float) -> float:
    """Return responses per second of the bare sender."""
    loop = asyncio.get_running_loop()
    transport, sender = await loop.create_connection(BareSender, "127.0.0.1", port)
    bind = pdus.build_bind(pdus.BIND_TRANSCEIVER, 1, system_id="bare", password="", system_type="")
    transport.write(bind)
    await sender.bound
    submit = SubmitPdu(1, 1, SENDER[1:], 1, 1, PHONE[1:], TEXT.encode(), 0)
    built = pdus.build_submit(submit, 1)

    async def send(number: int) -> int:
        sequence = number + 2
        answered = sender.waiting[sequence] = loop.create_future()
        transport.write(built[:12] + sequence.to_bytes(4) + built[16:])
        await answered
        return 1

    try:
        began = time.perf_counter()
        sent = await count_of(send, seconds)
        return sent / (time.perf_counter() - began)
    finally:
        transport.abort()


async def measure(port: int, plan: ChannelsPlan) -> dict[str, list[float]]:
    """Return the rates of each sender by round; every other round is in the reverse order."""
    senders: dict[str, Callable[[], Awaitable[float]]] = {
        BARE: lambda: bare_rate(port, plan.seconds),
        SUBMITS: lambda: carrier_rate(port, plan.seconds, TEXT, receipts=False),
        WITH_RECEIPTS: lambda: carrier_rate(port, plan.seconds, TEXT, receipts=True),
        LONG: lambda: carrier_rate(port, plan.seconds, TEXT * 12, receipts=False),
    }
    rates: dict[str, list[float]] = {name: [] for name in senders}
    for number in range(plan.rounds):
        names = list(senders)
        for name in names if number % 2 == 0 else reversed(names):
            rates[name].append(await senders[name]())
            print(f"{name}: {rates[name][-1]:,.0f}/s", file=sys.stderr, flush=True)
    return rates


def server_rates(
    folder: Path, port: int, plan: ChannelsPlan, accepted: Callable[[], int]
) -> tuple[float, float]:
    """Return messages per second of a server, from the first request on.

    First until the SMSC accepted all, then until all receipts are recorded.
    """
    credentials = servers.make_credentials()
    carriers = folder / "carriers.toml"
    carriers.write_text(
        f'[carriers.bench]\ntype = "smpp"\nsystem_id = "bench"\nhosts = ["127.0.0.1:{port}"]\n'
        f'window = {WINDOW}\n[[routes]]\nprefix = "+1"\ncarrier = "bench"\n'
    )
    server_cores, load_cores = cores_apart()
    process = servers.parlour(folder, credentials)
    process.environment["PARLOUR_CARRIERS"] = str(carriers)
    total = PHONES * plan.server_messages
    with process:
        process.start(server_cores)
        with pinned_to(load_cores), KeepAliveApi(process.port, credentials) as api:
            path = f"/v1/Conversations/{api.post('/v1/Conversations')['sid']}"
            for number in range(PHONES):
                api.post(
                    f"{path}/Participants",
                    **{
                        "MessagingBinding.Address": f"+1555{number:07}",
                        "MessagingBinding.ProxyAddress": SENDER,
                    },
                )
            before, began = accepted(), time.perf_counter()
            sent = [
                api.post(f"{path}/Messages", Body=TEXT)["sid"] for _ in range(plan.server_messages)
            ]
            while accepted() - before < total:
                time.sleep(0.01)
            until_accepted = time.perf_counter() - began
            for message_sid in sent:
                while api.get(f"{path}/Messages/{message_sid}")["delivery"]["delivered"] != "all":
                    time.sleep(0.01)
            return total / until_accepted, total / (time.perf_counter() - began)


def run(plan: ChannelsPlan, json_path: Path | None) -> int:
    """Measure, print and write; return how many goals were missed."""
    smsc_cores, sender_cores = cores_apart()
    with (
        ReservedPort() as port,
        running_smsc(port.number, smsc_cores) as accepted,
        data_folder() as folder,
    ):
        with pinned_to(sender_cores):
            rates = uvloop.run(measure(port.number, plan))
        until_accepted, until_reported = server_rates(folder, port.number, plan, accepted)
        described = machine.describe(folder)
    lines = []
    for name, measured in rates.items():
        ratio = statistics.median(
            each / bare for each, bare in zip(measured, rates[BARE], strict=True)
        )
        median = statistics.median(measured)
        spread = f"{min(measured):,.0f} to {max(measured):,.0f}"
        lines.append(f"{name:<48} {median:>9,.0f}/s ({spread}), {ratio:.2f} of bare")
    checked = [
        goals.at_least(f"{name}: messages/s", statistics.median(rates[name]), goals.SMPP_RATE_MIN)
        for name in (SUBMITS, WITH_RECEIPTS)
    ]
    lines.append(f"a server, until the SMSC accepted them {until_accepted:>18,.0f}/s")
    lines.append(f"a server, until their receipts are recorded {until_reported:>13,.0f}/s")
    print(report.text(described, [], lines, checked))
    if json_path:
        shown = report.record_of_lines(described, lines, checked)
        json_path.write_text(json.dumps(shown, indent=2) + "\n")
    return sum(not goal.is_met for goal in checked)


def main() -> int:
    """Run the command line of ``make bench-channels``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    missed = run(QUICK if options.quick else FULL, options.json)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
