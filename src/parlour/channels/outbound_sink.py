"""The sink of outbound messages: passes them to the carrier, and records its reports.

The event has the recipients; the receipt of each shows whether the message was sent: a receipt
without a status is pending. So a crash at any point repeats at most the messages in flight, under
the same references, and loses none.

Messages of one binding (sender and recipient) are sent sequentially, in the order of the
conversation; different bindings are sent concurrently.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.channels.virtual_carrier import SinkSubmission
from parlour.resources.media import attachments as media_attachments
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages.fan_out import ChannelRecipient  # noqa: TC001 - decoded here.
from parlour.resources.receipts import actions as receipt_actions
from parlour.store.leases import LeaseLost, LocalLeaseTerm
from parlour.vocabulary import limits
from parlour.vocabulary.event_names import ON_MESSAGE_ADDED
from parlour.vocabulary.origin import SYSTEM
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.channels.virtual_carrier import VirtualCarrier
    from parlour.resources.receipts.statuses import StatusReport
    from parlour.store.leases import LeaseTerm
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.event import Event

# Part of an event whose message has no recipient outside the chat; quotes inside texts are
# escaped, so no text can contain it.
_NO_RECIPIENTS: Final = '"recipients":[]'


class _MessageContent(msgspec.Struct, frozen=True):
    """The content of a message that a carrier gets."""

    body: str | None
    media: str | None


class _MessageAdded(msgspec.Struct, frozen=True):
    """The parts of the event of a new message that are read."""

    message: _MessageContent
    recipients: list[ChannelRecipient]


class _PendingMessage(msgspec.Struct, frozen=True):
    """One message for one recipient, and its scope."""

    scope: Scope
    outbound: SinkSubmission

    @property
    def binding(self) -> tuple[str, str | None, str]:
        """Sender and recipient: messages of one binding keep their order."""
        return self.scope.account_sid, self.outbound.sender, self.outbound.recipient


_decode = msgspec.json.Decoder(_MessageAdded).decode


class OutboundSink:
    """Sends messages through a carrier and records their status."""

    name: Final = "outbound"
    # A receipt without a status is pending, regardless of the age of its event.
    reads_from_start: Final = True

    def __init__(self, store: Store, carrier: VirtualCarrier) -> None:
        self._store = store
        self._carrier = carrier
        self._slots = asyncio.Semaphore(limits.OUTBOUND_LANES_MAX)
        self._lease_term: LeaseTerm = LocalLeaseTerm(store)

    async def start_term(self, lease_term: LeaseTerm) -> None:
        """Send messages in this term."""
        self._lease_term = lease_term
        self._store = lease_term.store

    async def end_term(self) -> None:
        """Do nothing: this sink has no memory."""

    def wants(self, event: Event) -> bool:
        """Return whether it is a new message with recipients outside the chat."""
        return event.name == ON_MESSAGE_ADDED and _NO_RECIPIENTS not in event.payload

    async def handle(self, events: list[Event]) -> bool:
        """Send the messages that are pending. Raises if the carrier failed for one.

        The others continue; a message that was sent has a status and is not pending again.
        """

        async def pending(tx: Transaction) -> list[_PendingMessage]:
            return [job for event in events for job in await _pending(tx, event)]

        lanes: dict[tuple[str, str | None, str], list[_PendingMessage]] = {}
        for job in await self._store.read(pending):
            lanes.setdefault(job.binding, []).append(job)
        results = await asyncio.gather(
            *(self._run(lane) for lane in lanes.values()), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return bool(lanes)

    async def _run(self, jobs: list[_PendingMessage]) -> None:
        """Send the messages of one binding, one after the other."""
        async with self._slots:
            for job in jobs:
                if not self._lease_term.is_current():
                    raise LeaseLost(self.name)
                reports = await self._carrier.send(job.outbound)
                await self._record(job, reports)

    async def _record(self, job: _PendingMessage, reports: list[StatusReport]) -> None:
        """Record the reports of the carrier, in one transaction."""

        async def record(tx: Transaction) -> None:
            for report in reports:
                await receipt_actions.record_status(tx, job.scope, job.outbound.reference, report)

        await self._store.write(record, SYSTEM)


async def _pending(tx: Transaction, event: Event) -> list[_PendingMessage]:
    """Return the messages of one event that were not sent yet."""
    scope = Scope(event.account_sid, event.service_sid)
    due = await message_receipt_store.find_pending_receipt_sids(tx, scope, event.subject_sid)
    return [job for job in _jobs(scope, event) if job.outbound.reference in due] if due else []


def _jobs(scope: Scope, event: Event) -> Iterator[_PendingMessage]:
    payload = _decode(event.payload)
    for recipient in payload.recipients:
        yield _PendingMessage(
            scope,
            SinkSubmission(
                reference=recipient.receipt_sid,
                type=recipient.type,
                sender=recipient.sender,
                recipient=recipient.address,
                body=payload.message.body,
                media=media_attachments.user_attachments_json(payload.message.media),
                is_in_group=recipient.is_in_group,
            ),
        )
