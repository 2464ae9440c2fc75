"""What the tests of SMPP share: a sink, a carrier, and an SMSC on npm smpp in another process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec

from parlour.channels.carrier import CarrierContext, InboundKey, UnacknowledgedInbound
from parlour.channels.smpp.adapter import SmppCarrier
from parlour.channels.smpp.carrier import CARRIER_TYPE, SmppOptions
from parlour.vocabulary.clock import FakeClock, SystemRandom
from tests.carriers.node_hosts import connect_peer
from tests.support.outbound_messages import outbound_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from parlour.channels.carrier import DeliveryReport, InboundMessage, OutboundMessage
    from tests.carriers.node_hosts import PeerConnection

NODE = Path(__file__).parent / "node"
PASSWORD = "secret"
# On an idle machine each of these takes milliseconds.
SECONDS_MAX = 30
OUR_NUMBER = "+15017122661"
PHONE = "+15558675310"
ACCOUNT_SID = "AC" + "0" * 32


@dataclass
class ScriptedSink:
    """Stores what a carrier passes on, after the errors of its script.

    ``unacknowledged_rows`` has what `ServerSink.unacknowledged` would return.
    """

    errors: list[Exception] = field(default_factory=list)
    inbounds: list[InboundMessage] = field(default_factory=list)
    reports: list[DeliveryReport] = field(default_factory=list)
    unacknowledged_rows: list[UnacknowledgedInbound] = field(default_factory=list)
    calls: int = 0
    gate: asyncio.Event | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def inbound(self, message: InboundMessage) -> InboundKey:
        await self._follow_script()
        key = InboundKey(ACCOUNT_SID, "smsc", message.provider_id)
        is_stored = message.provider_id in self.stored
        self.inbounds.append(message)
        if message.is_acknowledgement_recorded and not is_stored:
            row = UnacknowledgedInbound(*key, sequence=len(self.inbounds), date_created=0)
            self.unacknowledged_rows.append(row)
        return key

    def acknowledged(self, key: InboundKey) -> None:
        self.unacknowledged_rows = [each for each in self.unacknowledged_rows if each.key != key]

    async def unacknowledged(self) -> list[UnacknowledgedInbound]:
        return self.unacknowledged_rows

    async def acknowledgements_recorded(self) -> None:
        """Return: each was recorded at once."""

    async def report(self, report: DeliveryReport) -> None:
        await self._follow_script()
        self.reports.append(report)

    async def _follow_script(self) -> None:
        self.calls += 1
        self.changed.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)

    @property
    def bodies(self) -> list[str | None]:
        return [each.body for each in self.inbounds]

    @property
    def stored(self) -> dict[str, InboundMessage]:
        """The messages as the inbox would have them: one for each provider id."""
        return {each.provider_id: each for each in self.inbounds}


def make_carrier(port: int, sink: ScriptedSink, **options: Any) -> SmppCarrier:
    """Return a carrier of one link, bound to nothing else of the server."""
    values = {"hosts": [f"127.0.0.1:{port}"], "system_id": "parlour", "password": PASSWORD}
    decoded = msgspec.convert(values | options, SmppOptions)
    context = CarrierContext(
        sink=sink,
        egress=cast("Any", None),
        clock=FakeClock(),
        random=SystemRandom(),
        callback_url="",
        open_medium=cast("Any", None),
    )
    carrier = CARRIER_TYPE.make("smsc", decoded, context)
    assert isinstance(carrier, SmppCarrier)
    return carrier


@asynccontextmanager
async def started(carrier: SmppCarrier) -> AsyncIterator[SmppCarrier]:
    """Start a carrier, wait for its links, and stop it at the end."""
    await carrier.start()
    try:
        await until(lambda: all(each.is_up for each in carrier.links()))
        yield carrier
    finally:
        await carrier.stop()


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds. Raises TimeoutError."""
    async with asyncio.timeout(SECONDS_MAX):
        while not condition():  # noqa: ASYNC110 - a condition of many parts.
            await asyncio.sleep(0.005)


def outbound(text: str, *, to: str = PHONE, number: int = 1, **fields: Any) -> OutboundMessage:
    """Return a message of one recipient; its reference follows from the number."""
    values = {"reference": f"SM{number:032x}", "sender": OUR_NUMBER, "recipients": (to,)}
    return outbound_message(body=text, **(values | fields))


class NodeSmsc:
    """An SMSC of smsc.mjs; `event` waits for the next event of a name."""

    def __init__(self, connection: PeerConnection) -> None:
        self._connection = connection
        self._events: list[dict[str, Any]] = []
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def running(cls, **options: Any) -> AsyncIterator[Self]:
        settings = {"password": PASSWORD, **options}
        async with connect_peer(NODE / "smsc.mjs", settings) as connection:
            smsc = cls(connection)
            smsc.port = (await smsc.event("listening"))["port"]
            yield smsc

    async def event(self, name: str) -> dict[str, Any]:
        """Return the next event of a name; others stay for later."""
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                for place, each in enumerate(self._events):
                    if each["event"] == name:
                        return self._events.pop(place)
                self._events.append(await self._connection.read())

    async def unread(self, name: str) -> int:
        """Return how many events of a name the SMSC has emitted that no call has returned."""
        await self.command("resume")
        return sum(each["event"] == name for each in self._events)

    async def events(self, name: str, count: int) -> list[dict[str, Any]]:
        """Return the next events of a name."""
        return [await self.event(name) for _ in range(count)]

    async def command(self, do: str, **values: Any) -> None:
        """Send a command, and wait for its confirmation."""
        await self._connection.write({"do": do, **values})
        await self.event("done")

    async def rule(self, to: str, **values: Any) -> None:
        """Set what a destination does."""
        await self.command("rule", to=to.removeprefix("+"), **values)

    async def deliver(self, tag: str, message: Any, **pdu: Any) -> None:
        """Send a message from the phone."""
        fields = {
            "source_addr": PHONE.removeprefix("+"),
            "destination_addr": OUR_NUMBER.removeprefix("+"),
            "short_message": message,
        }
        await self.command("deliver", tag=tag, pdu=fields | pdu)
