"""An e-mail carrier, a scripted sink, and a mail server and program in Node.js as its peer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from parlour.channels.carrier import CarrierContext, OutboundMessage
from parlour.channels.email.carrier import EmailCarrier
from parlour.channels.email.options import EmailOptions, check_options
from parlour.vocabulary.clock import FakeClock
from tests.carriers.node_hosts import connect_peer
from tests.support.outbound_messages import outbound_email, outbound_message
from tests.support.zero_random import ZeroRandom

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from parlour.channels.carrier import DeliveryReport, InboundMessage
    from tests.carriers.node_hosts import PeerConnection

NODE = Path(__file__).parent / "node_mail"
SECONDS_MAX = 20.0
CONVERSATION = "CH" + "b" * 32
MESSAGE = "IM" + "c" * 32
REFERENCE = "SM" + "a" * 32
MESSAGE_ID = f"<{MESSAGE}.{CONVERSATION}@example.com>"
HELP = "help@example.com"
TAGGED = f"help+{CONVERSATION}@example.com"
RETURN_PATH = f"bounces+{REFERENCE}@example.com"
ALICE = "alice@customer.example"


class MailSink:
    """Records messages and reports; raises the failures it was given, one for each call."""

    def __init__(self) -> None:
        self.messages: list[InboundMessage] = []
        self.reports: list[DeliveryReport] = []
        self.failures: list[Exception] = []
        self.changed = asyncio.Event()

    async def inbound(self, message: InboundMessage) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)
        self.changed.set()

    async def report(self, report: DeliveryReport) -> None:
        self.reports.append(report)
        self.changed.set()

    async def wait_for(self, condition: Callable[[MailSink], bool]) -> None:
        """Return once the condition holds; TimeoutError after `SECONDS_MAX`."""
        async with asyncio.timeout(SECONDS_MAX):
            while not condition(self):
                self.changed.clear()
                await self.changed.wait()


class MailPeer:
    """A mail server and program of `node_mail/mta.mjs`."""

    def __init__(self, connection: PeerConnection) -> None:
        self._connection = connection
        self._events: list[dict[str, Any]] = []
        self._commands = 0
        self.port = 0

    async def next(self, event: str, **members: Any) -> dict[str, Any]:
        """Return the next event of a kind with these members, and remove it."""
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                for each in self._events:
                    if {"event": event, **members}.items() <= each.items():
                        self._events.remove(each)
                        return each
                self._events.append(await self._connection.read())

    def waiting(self, event: str) -> list[dict[str, Any]]:
        """Return the events of a kind that were read and not taken."""
        return [each for each in self._events if each["event"] == event]

    async def send(self, port: int, *, tls: bool = False, **mail: Any) -> dict[str, Any]:
        """Send a mail with nodemailer; return the result: ``response``, and ``code`` of errors."""
        self._commands += 1
        number = self._commands
        await self._connection.write({"id": number, "port": port, "tls": tls, "mail": mail})
        return await self.next("result", id=number)

    async def bounce_to(self, port: int) -> None:
        """Send notifications to this port."""
        await self._connection.write({"listener": port})


@contextlib.asynccontextmanager
async def mail_peer(**settings: Any) -> AsyncIterator[MailPeer]:
    """Run a mail server in Node.js."""
    async with connect_peer(NODE / "mta.mjs", settings) as connection:
        peer = MailPeer(connection)
        peer.port = (await peer.next("listening"))["port"]
        yield peer


@contextlib.asynccontextmanager
async def email_carrier(
    relay_port: int, sink: MailSink, media: dict[str, bytes] | None = None, **options: Any
) -> AsyncIterator[EmailCarrier]:
    """Run a carrier whose relay is on this port of this machine, with its own listener."""
    members: dict[str, Any] = {
        "domains": ["example.com"],
        "smtp_host": "127.0.0.1",
        "smtp_port": relay_port,
        "smtp_tls": "none",
        "listen_port": 0,
    }
    chosen = EmailOptions(**(members | options))
    check_options(chosen)
    carrier = EmailCarrier("mail", chosen, make_context(sink, media or {}))
    await carrier.start()
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await carrier.wait_listening()
        yield carrier
    finally:
        await carrier.stop()


def make_context(sink: MailSink, media: dict[str, bytes]) -> CarrierContext:
    """Return the context of a carrier that reads media from a mapping."""

    async def open_medium(_account_sid: str, media_sid: str) -> AsyncIterator[bytes]:
        return _chunks(media[media_sid])

    return CarrierContext(
        sink=sink,
        egress=cast("Any", None),
        clock=FakeClock(),
        random=ZeroRandom(),
        callback_url="",
        open_medium=open_medium,
    )


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


def make_mail(*recipients: str, **changes: Any) -> OutboundMessage:
    """Return a message for these recipients; ``email`` is a mapping of changed members."""
    email = outbound_email(**changes.pop("email", {}))
    members: dict[str, Any] = {
        "reference": REFERENCE,
        "conversation_sid": CONVERSATION,
        "message_sid": MESSAGE,
        "channel": "email",
        "sender": HELP,
    }
    return outbound_message(recipients=recipients, email=email, **(members | changes))


def encoded(content: bytes) -> str:
    """Return bytes as the peer's commands and events have them."""
    return base64.b64encode(content).decode()
