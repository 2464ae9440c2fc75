"""The virtual carrier on a server in this process, with recorded reports."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.channels.carrier import Accepted, OutboundMedium, OutboundMessage, Rejected
from parlour.channels.virtual.deliveries import PhoneDeliveries
from parlour.channels.virtual.reports import VirtualPhoneReports
from parlour.protocol.pages import PageRequest
from parlour.resources.virtual_phones import message_store as virtual_phone_message_store
from parlour.resources.virtual_phones.media_copies import PhoneMediaCopies
from parlour.resources.virtual_phones.message_store import MessageFilters
from parlour.vocabulary.clock import SystemRandom
from parlour.vocabulary.scope import Scope
from tests.events.in_process_server import ACCOUNT_SID, InProcessServer
from tests.resources.test_frozen_clock import FrozenClock
from tests.support.outbound_messages import outbound_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from parlour.channels.carrier import DeliveryReport
    from parlour.resources.virtual_phones.message_store import VirtualPhoneMessage

# In the past: the sweep compares the dates of files with the clock.
START_MS = 1_700_000_000_000
OWN = "+15005550006"
PHONE = "+15558675310"
WHATSAPP = f"whatsapp:{PHONE}"
REFERENCE = outbound_message().reference
CONTENT = b"\x89PNG of a cat"
PICTURE = OutboundMedium("ME" + "0" * 32, "image/png", len(CONTENT), "cat.png", "")


def text_to(*recipients: str, body: str | None = "Hello", **changes: Any) -> OutboundMessage:
    """Return a submission; the channel follows the first recipient."""
    made = {
        "account_sid": ACCOUNT_SID,
        "channel": "whatsapp" if recipients[0].startswith("whatsapp:") else "sms",
        "sender": OWN,
        "is_group": len(recipients) > 1,
        "body": body,
    }
    return outbound_message(recipients=recipients, **(made | changes))


class PhoneScene:
    """The phones of one account, and the reports that the server would record."""

    def __init__(self, instance: InProcessServer, clock: FrozenClock) -> None:
        self.instance = instance
        self.clock = clock
        self.reports: list[DeliveryReport] = []
        copies = PhoneMediaCopies(instance.app.blobs, SystemRandom())
        self.deliveries = PhoneDeliveries(instance.store, copies)
        self.due = VirtualPhoneReports(self.report)

    async def report(self, report: DeliveryReport) -> None:
        """Record a report, as the sink of a carrier."""
        self.reports.append(report)

    async def open_medium(self, account_sid: str, media_sid: str) -> AsyncIterator[bytes]:
        """Return the bytes of the only medium."""
        assert (account_sid, media_sid) == (ACCOUNT_SID, PICTURE.sid)

        async def pieces() -> AsyncIterator[bytes]:
            yield CONTENT[:5]
            yield CONTENT[5:]

        return pieces()

    async def deliver(self, message: OutboundMessage) -> Accepted | Rejected:
        """Submit a message."""
        return await self.deliveries.deliver(message, self.open_medium, self.report)

    async def set(self, address: str, **form: str) -> None:
        """Create a phone with this behaviour."""
        await self.instance.do("CreateVirtualPhone", {"Address": address})
        await self.change(address, **form)

    async def change(self, address: str, **form: str) -> None:
        """Change the behaviour of a phone."""
        await self.instance.do("UpdateVirtualPhone", dict(form), Address=address)

    async def inbox(self, address: str) -> list[VirtualPhoneMessage]:
        """Return the messages that a phone shows."""
        whole = PageRequest(0, 1000, None)
        return await self.instance.store.read(
            lambda tx: virtual_phone_message_store.list_messages(
                tx, Scope(ACCOUNT_SID), address, MessageFilters(), whole
            )
        )

    async def pass_due_reports(self) -> list[tuple[str, int]]:
        """Pass the reports on that are due by the clock; return status and code of all so far."""
        await self.due.run(self.instance.store)
        return [(each.status, each.error_code) for each in self.reports]


def run_scene(tmp_path: Path, play: Callable[[PhoneScene], Awaitable[None]]) -> None:
    """Run a scene on a new server with a frozen clock."""

    async def run() -> None:
        clock = FrozenClock(START_MS)
        async with InProcessServer(tmp_path, clock=clock) as instance:
            await play(PhoneScene(instance, clock))

    asyncio.run(run())
