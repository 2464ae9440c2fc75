"""The SMPP carrier: its links, submissions, inbound messages and receipts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from parlour.channels.carrier import (
    Accepted,
    CallbackRefused,
    CarrierUnavailable,
    InboundMessage,
    InboundRefused,
    LinkState,
    Rejected,
)
from parlour.channels.smpp import joining, pdus, receipts, submissions
from parlour.channels.smpp.addresses import from_smpp
from parlour.channels.smpp.carrier import addresses_of
from parlour.channels.smpp.keeper import LinkKeeper, LinkTarget, open_link
from parlour.channels.smpp.link import LinkFailed
from parlour.channels.smpp.redeliveries import RedeliveryIds, digest_of
from parlour.channels.smpp.texts import decode_text
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from parlour.channels.carrier import (
        Callback,
        CallbackRequest,
        CarrierContext,
        InboundKey,
        OutboundMessage,
    )
    from parlour.channels.smpp.carrier import SmppOptions
    from parlour.channels.smpp.joining import MessageKey
    from parlour.channels.smpp.link import PendingDelivery, SmppLink
    from parlour.channels.smpp.pdus import DeliveredPdu, SubmitPdu

log = structlog.get_logger()

_CHANNEL: Final = "sms"
# A part of an inbound message is missing.
_MISSING_PART: Final = 30009
_TOKEN_BYTES: Final = 8

_KINDS: Final = {
    "transceiver": (pdus.BIND_TRANSCEIVER,),
    "transmitter": (pdus.BIND_TRANSMITTER,),
    "receiver": (pdus.BIND_RECEIVER,),
    "separate": (pdus.BIND_TRANSMITTER, pdus.BIND_RECEIVER),
}


class _Stored(NamedTuple):
    """A message that the server has stored or refused: ``status`` is the one for the SMSC.

    ``key`` is None if it was refused, or if the SMSC's own identifier names it.
    """

    digest: str
    provider_id: str
    status: int
    key: InboundKey | None = None


class SmppCarrier:
    """A carrier with one or more links to the hosts of one SMSC."""

    def __init__(self, name: str, options: SmppOptions, context: CarrierContext) -> None:
        self._name = name
        self._options = options
        self._sink = context.sink
        self._clock = context.clock
        self._require_lease = context.require_lease
        self._log = log.bind(carrier=name)
        self._targets = _targets(options)
        self._keepers = [
            LinkKeeper(each, options, self._receive, carrier=name, random=context.random)
            for each in self._targets
        ]
        sending = sum(each.kind != pdus.BIND_RECEIVER for each in self._targets)
        self.concurrency = max(1, sending * options.window)
        self._starting: asyncio.Task[None] | None = None
        self._joiner: joining.Joiner[PendingDelivery, _Stored] = joining.Joiner()
        self._ids = RedeliveryIds(context.random.token(_TOKEN_BYTES).hex())
        # Locks by sender and receiver: their messages keep their order. With the number of users.
        self._lanes: dict[tuple[str, str], tuple[asyncio.Lock, list[int]]] = {}

    # --- The interface of carriers ----------------------------------------------------------

    async def start(self) -> None:
        """Open the links, once the unacknowledged messages are read."""
        self._starting = asyncio.get_running_loop().create_task(self._start())

    async def stop(self) -> None:
        """Unbind and close the links, and wait until their acknowledgements are recorded."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        await asyncio.gather(*(keeper.stop() for keeper in self._keepers))
        await self._sink.acknowledgements_recorded()

    async def _start(self) -> None:
        restored = False
        while not restored:
            with failures_logged("smpp_start_failed", Busy, Unavailable, carrier=self._name):
                await self._restore()
                restored = True
                continue
            await asyncio.sleep(limits.INBOX_RETRY_MS / 1000)
        for keeper in self._keepers:
            keeper.start()

    async def _restore(self) -> None:
        """Read which messages the SMSC may deliver again."""
        stored = await self._sink.unacknowledged()
        keys = {each.provider_id: each.key for each in stored}
        dates = [(each.provider_id, each.date_created) for each in stored]
        for provider_id in self._ids.restore(dates):
            self._sink.acknowledged(keys[provider_id])

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        """Submit a message, part by part. Raises CarrierUnavailable.

        The first part alone, since a recipient that is refused needs no further ones. If a later
        part fails, all of them are repeated, under the same number: phones ignore those they have.
        """
        parts = submissions.make_submissions(message, self._options)
        if isinstance(parts, Rejected):
            return parts
        link = self._pick_link()
        outcomes = [await self._submit(link, parts[0])]
        if not isinstance(outcomes[0], Rejected):
            remainder = (self._submit(link, part) for part in parts[1:])
            for outcome in await asyncio.gather(*remainder, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
                outcomes.append(outcome)
        for outcome in outcomes:
            if isinstance(outcome, Rejected):
                return outcome
        return Accepted(tuple(each for each in outcomes if isinstance(each, str) and each))

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Refuse a callback: SMPP has none."""
        raise CallbackRefused(404, f"SMPP has no callback {request.path!r}")

    async def read_medium(self, location: str) -> bytes:
        """Refuse: inbound messages have no media."""
        raise CarrierUnavailable(f"SMPP has no medium {location!r}")

    def links(self) -> tuple[LinkState, ...]:
        """Return the state of each link."""
        return tuple(keeper.state() for keeper in self._keepers)

    async def check(self) -> tuple[LinkState, ...]:
        """Open and close each link; inbound messages get a temporary error."""
        return tuple(await asyncio.gather(*(self._check(each) for each in self._targets)))

    async def _check(self, target: LinkTarget) -> LinkState:
        async def refuse(delivery: PendingDelivery) -> None:
            delivery.respond(submissions.TEMPORARY_ERROR)

        try:
            link = await open_link(target, self._options, refuse)
        except LinkFailed as error:
            return LinkState(target.name, is_up=False, detail=str(error))
        await link.unbind()
        return LinkState(target.name, is_up=True)

    # --- Outbound ---------------------------------------------------------------------------

    def _pick_link(self) -> SmppLink:
        """Return the link with the fewest requests in flight."""
        links = [each.link for each in self._keepers if each.link is not None]
        usable = [link for link in links if link.can_send]
        if not usable:
            raise CarrierUnavailable(f"no link of {self._name} is bound")
        return min(usable, key=lambda link: link.in_flight)

    async def _submit(self, link: SmppLink, submission: SubmitPdu) -> str | Rejected:
        """Return the identifier of an accepted part in its one spelling, empty without one."""
        status, message_id = await link.submit(submission, self._require_lease)
        if status == submissions.OK:
            return receipts.normal_id(message_id, self._options.submit_id) if message_id else ""
        if submissions.is_link_problem(status):
            link.abort(f"a submission was refused: {pdus.describe(status)}")
            raise CarrierUnavailable(pdus.describe(status))
        if submissions.is_throttling(status):
            link.slow_down()
        return submissions.rejection(status, pdus.describe(status))

    # --- Inbound ----------------------------------------------------------------------------

    async def _receive(self, delivery: PendingDelivery) -> None:
        """Process an inbound PDU. An exception is a temporary error for the SMSC."""
        try:
            pdu = pdus.parse_delivered(delivery.pdu)
        except pdus.PduError as error:
            self._log.warning("smpp_pdu_refused", reason=str(error))
            delivery.respond(submissions.PERMANENT_ERROR)
            return
        # One address has several spellings.
        sender = from_smpp(pdu.source_ton, pdu.source)
        receiver = from_smpp(pdu.destination_ton, pdu.destination)
        async with self._lane(sender, receiver):
            if receipts.is_receipt(pdu):
                await self._receive_receipt(pdu, delivery)
            else:
                await self._receive_message(pdu, delivery)

    @asynccontextmanager
    async def _lane(self, sender: str, receiver: str) -> AsyncIterator[None]:
        key = sender, receiver
        lock, users = self._lanes.setdefault(key, (asyncio.Lock(), [0]))
        users[0] += 1
        try:
            async with lock:
                yield
        finally:
            users[0] -= 1
            if not users[0]:
                del self._lanes[key]

    async def _receive_receipt(self, pdu: DeliveredPdu, delivery: PendingDelivery) -> None:
        receipt = receipts.parse_receipt(pdu)
        if receipt is None:
            # Delivered again it would be the same. Its content may be a person's text.
            self._log.warning("smpp_receipt_invalid", size=len(pdu.content))
        else:
            options = self._options
            report = receipts.make_report(receipt, options.receipt_id, options.error_codes)
            if report is not None:
                await self._sink.report(report)
        delivery.respond(submissions.OK)

    async def _receive_message(self, pdu: DeliveredPdu, delivery: PendingDelivery) -> None:
        part, content = joining.read_part(pdu)
        sender = from_smpp(pdu.source_ton, pdu.source)
        receiver = from_smpp(pdu.destination_ton, pdu.destination)
        if part is not None:
            key = sender, receiver, part.form, part.reference, part.total
            await self._receive_part(key, part.number, content, pdu.data_coding, delivery)
            return
        header = pdu.content[: len(pdu.content) - len(content)]
        digest = digest_of(
            [sender.encode(), receiver.encode(), bytes((pdu.data_coding,)), header, content]
        )
        # Some SMSCs give inbound messages an identifier, in the parameter of receipts.
        message_id = pdus.parse_text(pdu.tlvs.get(pdus.TLV_RECEIPTED_MESSAGE_ID, b""))
        body = decode_text(content, pdu.data_coding, self._options.default_alphabet)
        stored = await self._store(digest, sender, receiver, body, message_id)
        if delivery.respond(stored.status):
            self._acknowledge(stored)

    async def _receive_part(
        self,
        key: MessageKey,
        number: int,
        content: bytes,
        data_coding: int,
        delivery: PendingDelivery,
    ) -> None:
        """Hold a part, or store the message that it completes."""
        loop = asyncio.get_running_loop()
        joiner, options = self._joiner, self._options
        joined = joiner.find_joined(key, number, content, loop.time())
        if joined is not None:
            if delivery.respond(joined.status):
                joiner.acknowledge(key, number)
                self._acknowledge(joined)
            return
        self._log_dropped(joiner.add(key, number, content, delivery, loop.time()))
        contents = joiner.contents(key)
        if contents is None:
            loop.call_later(options.join_seconds, self._expire)
            if options.acknowledge_parts == "received":
                delivery.respond(submissions.OK)
            else:
                loop.call_later(options.part_seconds, self._refuse_part, key, delivery)
            return
        fields = [str(each).encode() for each in key]
        digest = digest_of([*fields, bytes((data_coding,)), *contents])
        # Together: a character may be divided between two parts.
        body = decode_text(b"".join(contents), data_coding, options.default_alphabet)
        try:
            stored = await self._store(digest, key[0], key[1], body)
        except BaseException:
            for _, waiting in joiner.waiting(key):
                waiting.respond(submissions.TEMPORARY_ERROR)
            raise
        acknowledged = {
            number
            for number, waiting in joiner.waiting(key)
            if waiting.is_answered or waiting.respond(stored.status)
        }
        joiner.finish(key, stored, acknowledged, loop.time() + options.join_seconds)
        # A part that was acknowledged is not delivered again, so all of them never are.
        if acknowledged:
            self._acknowledge(stored)

    async def _store(
        self, digest: str, sender: str, receiver: str, body: str, message_id: str = ""
    ) -> _Stored:
        """Pass a message to the server; ``message_id`` is the SMSC's own identifier, if any."""
        provider_id = message_id or self._ids.find(digest, self._clock.now_ms())
        message = InboundMessage(
            provider_id=provider_id,
            channel=_CHANNEL,
            sender=sender,
            receiver=receiver,
            group=(),
            body=body or None,
            is_acknowledgement_recorded=not message_id,
        )
        try:
            key = await self._sink.inbound(message)
        except InboundRefused:
            return _Stored(digest, provider_id, submissions.PERMANENT_ERROR)
        return _Stored(digest, provider_id, submissions.OK, None if message_id else key)

    def _acknowledge(self, stored: _Stored) -> None:
        """Record that the SMSC has the acknowledgement of a message."""
        self._ids.acknowledge(stored.digest, stored.provider_id)
        if stored.key is not None:
            self._sink.acknowledged(stored.key)

    def _refuse_part(self, key: MessageKey, delivery: PendingDelivery) -> None:
        """Give a part that waited too long a temporary error; its content stays in memory."""
        if not delivery.is_answered:
            self._joiner.remove_delivery(key, delivery)
            delivery.respond(submissions.TEMPORARY_ERROR)

    def _expire(self) -> None:
        now = asyncio.get_running_loop().time()
        self._log_dropped(self._joiner.expire(now - self._options.join_seconds))

    def _log_dropped(self, dropped: list[joining.Dropped]) -> None:
        for each in dropped:
            _, receiver, _, reference, total = each.key
            self._log.warning(
                "inbound_part_missing",
                code=_MISSING_PART,
                receiver=receiver,
                reference=reference,
                parts=total,
                missing=each.missing,
            )


def _targets(options: SmppOptions) -> list[LinkTarget]:
    """Return the links; the hosts take turns, so that the first links lead to different ones."""
    return [
        LinkTarget(host, port, kind, number)
        for number in range(1, options.links_per_host + 1)
        for host, port in addresses_of(options)
        for kind in _KINDS[options.bind]
    ]
