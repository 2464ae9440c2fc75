"""A sink: message events to the carrier, and what it says to the receipts.

The event says whom to reach, the receipt whether that has been done: a receipt without a status
was not handed over, as far as we know. So a crash at any point repeats at most the hand-over that
was going on, under the same reference, and forgets none.

Messages of one binding (sender and recipient) go one after the other, in the order of the
conversation; different bindings do not wait for each other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.channels.carrier import OutboundMessage
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

    from parlour.channels.carrier import Carrier
    from parlour.resources.receipts.statuses import StatusReport
    from parlour.store.leases import LeaseTerm
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.event import Event

# What stands in an event whose message goes to nobody outside the chat; quotes inside texts are
# escaped, so that no text can look like it.
_NO_RECIPIENTS: Final = '"recipients":[]'


class _MessageContent(msgspec.Struct, frozen=True):
    """What a carrier gets to see of a message."""

    body: str | None
    media: str | None


class _MessageAdded(msgspec.Struct, frozen=True):
    """What is read of the event of a new message."""

    message: _MessageContent
    recipients: list[ChannelRecipient]


class _PendingMessage(msgspec.Struct, frozen=True):
    """One message for one recipient, and whose it is."""

    scope: Scope
    outbound: OutboundMessage

    @property
    def binding(self) -> tuple[str, str | None, str]:
        """Sender and recipient: messages of one binding keep their order."""
        return self.scope.account_sid, self.outbound.sender, self.outbound.recipient


_decode = msgspec.json.Decoder(_MessageAdded).decode


class OutboundSink:
    """Hands messages over and records what becomes of them."""

    name: Final = "outbound"
    # A receipt that was never handed over is due, however old its event is.
    reads_from_start: Final = True

    def __init__(self, store: Store, carrier: Carrier) -> None:
        self._store = store
        self._carrier = carrier
        self._turns = asyncio.Semaphore(limits.OUTBOUND_LANES_MAX)
        self._lease_term: LeaseTerm = LocalLeaseTerm(store)

    async def start_term(self, lease_term: LeaseTerm) -> None:
        """Hand over in this turn."""
        self._lease_term = lease_term
        self._store = lease_term.store

    async def end_term(self) -> None:
        """Nothing is kept in mind."""

    def wants(self, event: Event) -> bool:
        """Whether it is a new message that somebody outside the chat is to get."""
        return event.name == ON_MESSAGE_ADDED and _NO_RECIPIENTS not in event.payload

    async def handle(self, events: list[Event]) -> bool:
        """Hand over what is still pending, if anything. Raises if a carrier failed.

        The others go on; what was handed over has its receipt, and is not pending again.
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
        """The messages of one binding, one after the other."""
        async with self._turns:
            for job in jobs:
                if not self._lease_term.is_current():
                    raise LeaseLost(self.name)
                reports = await self._carrier.send(job.outbound)
                await self._record(job, reports)

    async def _record(self, job: _PendingMessage, reports: list[StatusReport]) -> None:
        """Write what the carrier said, in one transaction."""

        async def record(tx: Transaction) -> None:
            for report in reports:
                await receipt_actions.record_status(tx, job.scope, job.outbound.reference, report)

        await self._store.write(record, SYSTEM)


async def _pending(tx: Transaction, event: Event) -> list[_PendingMessage]:
    """What of one event was not handed over yet."""
    scope = Scope(event.account_sid, event.service_sid)
    due = await message_receipt_store.find_pending_receipt_sids(tx, scope, event.subject_sid)
    return [job for job in _jobs(scope, event) if job.outbound.reference in due] if due else []


def _jobs(scope: Scope, event: Event) -> Iterator[_PendingMessage]:
    payload = _decode(event.payload)
    for recipient in payload.recipients:
        yield _PendingMessage(
            scope,
            OutboundMessage(
                reference=recipient.receipt_sid,
                account_sid=scope.account_sid,
                type=recipient.type,
                sender=recipient.sender,
                recipient=recipient.address,
                body=payload.message.body,
                media=media_attachments.user_attachments_json(payload.message.media),
                is_in_group=recipient.is_in_group,
            ),
        )
