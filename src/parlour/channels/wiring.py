"""Composition of the channels of one process: carriers, outbox, inbox, callbacks, phones."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from parlour.channels import number_table
from parlour.channels.callbacks import Callbacks
from parlour.channels.carrier import CarrierContext, MediumDeleted
from parlour.channels.carriers import Carriers
from parlour.channels.inbound import InboundProcessor
from parlour.channels.inbound_acknowledgements import InboundAcknowledgements
from parlour.channels.incoming_webhook import IncomingWebhook
from parlour.channels.sink import ServerSink
from parlour.channels.virtual.deliveries import PhoneDeliveries
from parlour.channels.virtual.reports import VirtualPhoneReports
from parlour.channels.virtual.sends import PhoneSends
from parlour.egress.client import Egress, EgressPolicy
from parlour.resources.carrier_numbers.store import VIRTUAL
from parlour.resources.virtual_phones.media_copies import PhoneMediaCopies
from parlour.store.blobs import BlobKey
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

    from parlour.channels.carrier import Carrier
    from parlour.channels.carriers_file import CarrierSettings
    from parlour.channels.media_links import MediaLinks
    from parlour.operations.open_work import OpenWork
    from parlour.operations.pipeline import PreActionHook
    from parlour.operations.scheduler import Job
    from parlour.store.blobs import BlobReader, BlobStore
    from parlour.store.leases import Lease
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random

CALLBACK_FOLDER: Final = "/parlour/v1/Carriers"


def callback_url(public_url: str, carrier_name: str) -> str:
    """Return the public URL of a carrier's callbacks; empty without a public URL."""
    root = public_url.rstrip("/")
    return f"{root}{CALLBACK_FOLDER}/{carrier_name}" if root else ""


def operator_egress() -> Egress:
    """Return a client for addresses that the operator named: private ones are allowed."""
    policy = EgressPolicy(allow_private=True)
    return Egress(policy, per_target_max=limits.CARRIER_REQUESTS_PER_TARGET_MAX)


def media_opener(blobs: BlobStore) -> Callable[[str, str], Awaitable[AsyncIterator[bytes]]]:
    """Return the function that opens a medium of a message for a carrier.

    It takes the SIDs of account and medium. Raises MediumDeleted.
    """

    async def open_medium(account_sid: str, media_sid: str) -> AsyncIterator[bytes]:
        blob = await blobs.open(BlobKey(account_sid, media_sid))
        if blob is None:
            raise MediumDeleted(f"the medium {media_sid} does not exist any more")
        return _pieces(blob)

    return open_medium


async def _pieces(blob: BlobReader) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(blob.pieces(0, blob.size)) as parts:
            async for part in parts:
                yield part
    finally:
        await blob.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelParts:
    """The parts of the server that the channels use."""

    store: Store
    blobs: BlobStore
    clock: Clock
    random: Random
    public_url: str
    media_links: MediaLinks
    pre_action_hook: PreActionHook
    auth_token_of: Callable[[str], Awaitable[str]]
    debounce_ms: int = limits.OUTBOX_DEBOUNCE_MS
    """The delay between a commit and the next read of the outbox."""


class Channels:
    """The channels of one process.

    Every node makes all carriers, and receives their callbacks. The owner of the lease starts them
    and sends. Each carrier has its own egress, so that none waits for the connections of another.
    """

    def __init__(self, configured: CarrierSettings, lease: Lease, parts: ChannelParts) -> None:
        """``lease`` is the lease of all carriers. Raises CarriersFileError."""
        self._configured = configured
        self._lease = lease
        self._parts = parts
        self._egresses: list[Egress] = []
        self.carriers: dict[str, Carrier] = {}
        self.outbox = Carriers(
            parts.store,
            self.carriers,
            lease,
            parts.clock,
            parts.random,
            parts.media_links.of_carrier,
            debounce_ms=parts.debounce_ms,
        )
        self.reports = self.outbox.reports
        self.inbound = self._make_inbound()
        self.phone_copies = PhoneMediaCopies(parts.blobs, parts.random)
        self.phone_deliveries = PhoneDeliveries(parts.store, self.phone_copies)
        self.phone_sends = PhoneSends(parts.store, self.phone_copies, self.inbound, parts.random)
        self.acknowledgements = InboundAcknowledgements(parts.store, parts.clock)
        sinks = {
            name: ServerSink(name, self.inbound, self.reports, self.acknowledgements)
            for name in configured.carriers
        }
        for name, each in configured.carriers.items():
            self.carriers[name] = each.make(self._context(name, sinks[name]))
        self.callbacks = Callbacks(self.carriers, sinks, parts.clock)

    def _new_egress(self) -> Egress:
        egress = operator_egress()
        self._egresses.append(egress)
        return egress

    def _make_inbound(self) -> InboundProcessor:
        parts = self._parts
        # The carriers file names the URLs of plain webhooks, so they may be private.
        webhook = IncomingWebhook(
            self._new_egress(),
            auth_token_of=parts.auth_token_of,
            media_url_of=parts.media_links.of_program,
        )
        return InboundProcessor(
            parts.store,
            parts.blobs,
            parts.clock,
            parts.random,
            pre_action_hook=parts.pre_action_hook,
            incoming_webhook=webhook,
            carrier_of=self.carriers.get,
            outcomes=self.outbox.metrics.inbound,
        )

    def _context(self, name: str, sink: ServerSink) -> CarrierContext:
        parts = self._parts
        return CarrierContext(
            sink=sink,
            egress=self._new_egress(),
            clock=parts.clock,
            random=parts.random,
            callback_url=callback_url(parts.public_url, name),
            open_medium=media_opener(parts.blobs),
            phones=self.phone_deliveries,
            may_send=lambda: self._lease.current_term() is not None,
        )

    @property
    def runs_carriers(self) -> bool:
        """Whether this process runs the carriers."""
        return self._lease.current_term() is not None

    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs of the scheduler."""
        phone_reports = VirtualPhoneReports(partial(self.reports.report, VIRTUAL))
        return self.inbound.job(), self.reports.job(), phone_reports.job()

    def wake(self) -> None:
        """Look for new submissions soon: something was committed."""
        self.outbox.wake()

    def clock_changed(self) -> None:
        """Look for due submissions now: the clock was changed."""
        self.outbox.clock_changed()

    def open_work(self) -> Iterator[OpenWork]:
        """Return messages in progress, in both directions."""
        yield from self.outbox.open_work()
        yield from self.inbound.open_work()

    async def start(self) -> None:
        """Copy the numbers to the database, continue inbound messages, and start to send."""
        await number_table.publish(self._parts.store, self._configured)
        await self.inbound.start()
        await self.outbox.start()

    async def stop(self) -> None:
        """Stop after the messages in progress, within the limit."""
        await self.inbound.stop()
        await self.outbox.stop()
        await self.acknowledgements.stop()
        for egress in self._egresses:
            await egress.close()
