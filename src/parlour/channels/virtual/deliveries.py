"""Delivery of outbound messages to virtual phones.

A submission is one transaction: the message in the inbox of each recipient, and the reports that
are due later. So a repeated submission after a crash finds the message in the inbox, and adds
nothing; a crash before the commit leaves nothing but blobs, which the sweep removes.

Early reports are passed on after the commit and before the submission is accepted; the other ones
by `VirtualPhoneReports` (reports.py), when they are due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from parlour.channels.carrier import Accepted, CarrierUnavailable, DeliveryReport, Rejected
from parlour.channels.virtual.transmission import transmit
from parlour.protocol import addresses
from parlour.resources.virtual_phones import behaviours as virtual_phone_behaviours
from parlour.resources.virtual_phones import inbox as virtual_phone_inbox
from parlour.resources.virtual_phones import message_store as virtual_phone_message_store
from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.resources.virtual_phones.inbox import PhoneText
from parlour.store.transaction import Busy
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from parlour.channels.carrier import OutboundMessage
    from parlour.resources.virtual_phones.media_copies import PhoneMediaCopies
    from parlour.resources.virtual_phones.message_store import PhoneMedium
    from parlour.resources.virtual_phones.store import VirtualPhone
    from parlour.store.transaction import Store, Transaction

    Changes = dict[str, Mapping[str, Any]]
    ChangesOf = Callable[[OutboundMessage, str], Mapping[str, Any]]
    OpenMedium = Callable[[str, str], Awaitable[AsyncIterator[bytes]]]
    Report = Callable[[DeliveryReport], Awaitable[None]]

_UNCHANGED: Final[Mapping[str, Any]] = {}


class _Recipient(NamedTuple):
    """A recipient before the delivery, which creates its phone if there is none."""

    address: str
    behaviour: str
    has_message: bool

    @property
    def needs_media(self) -> bool:
        """Whether the delivery stores the message in the inbox."""
        takes_messages = virtual_phone_behaviours.takes_messages(self.behaviour)
        return takes_messages and not self.has_message


class PhoneDeliveries:
    """Delivers submissions to the phones of their account."""

    def __init__(self, store: Store, copies: PhoneMediaCopies) -> None:
        self._store = store
        self._copies = copies
        self.changes_of: ChangesOf | None = None
        """Returns what differs at a phone for one message, if it is set: test mode."""

    async def deliver(
        self, message: OutboundMessage, open_medium: OpenMedium, report: Report
    ) -> Accepted | Rejected:
        """Deliver a message; a repeated one changes nothing. Raises CarrierUnavailable."""
        scope = Scope(message.account_sid)
        # Outside of the transaction, which may run more than once.
        changes: Changes = {}
        if self.changes_of is not None:
            changes = {each: self.changes_of(message, each) for each in message.recipients}
        recipients = await self._store.read(
            lambda tx: _look_up(tx, scope, message, changes), account_sid=scope.account_sid
        )
        media: dict[str, tuple[PhoneMedium, ...]] = {}
        try:
            for each in recipients:
                if each.needs_media:
                    media[each.address] = await self._copy(message, open_medium)
            result, early = await self._store.write(
                lambda tx: _deliver(tx, scope, message, media, changes),
                account_sid=scope.account_sid,
            )
        except (_PhoneChangedError, Busy) as error:
            await self._discard(scope, media)
            raise CarrierUnavailable(str(error) or "the store is busy") from error
        if isinstance(result, Rejected):
            await self._discard(scope, media)
            return result
        for copies in media.values():
            await self._copies.mark_committed(scope.account_sid, copies)
        for each_report in early:
            await report(each_report)
        return result

    async def _copy(
        self, message: OutboundMessage, open_medium: OpenMedium
    ) -> tuple[PhoneMedium, ...]:
        return tuple(
            [
                await self._copies.write(
                    message.account_sid,
                    await open_medium(message.account_sid, each.sid),
                    each.content_type,
                    each.filename,
                )
                for each in message.media
            ]
        )

    async def _discard(self, scope: Scope, media: dict[str, tuple[PhoneMedium, ...]]) -> None:
        for copies in media.values():
            await self._copies.discard(scope.account_sid, copies)


class _PhoneChangedError(Exception):
    """A phone was switched between the lookup and the delivery."""


async def _look_up(
    tx: Transaction, scope: Scope, message: OutboundMessage, changes: Changes
) -> list[_Recipient]:
    found = []
    for address in message.recipients:
        phone = await virtual_phone_store.find_virtual_phone(tx, scope, address)
        earlier = await virtual_phone_message_store.find_message(
            tx, scope, address, message.reference
        )
        usual = virtual_phone_store.DELIVER if phone is None else phone.behaviour
        behaviour = changes.get(address, _UNCHANGED).get("behaviour", usual)
        found.append(_Recipient(address, behaviour, earlier is not None))
    return found


async def _deliver(
    tx: Transaction,
    scope: Scope,
    message: OutboundMessage,
    media: dict[str, tuple[PhoneMedium, ...]],
    changes: Changes,
) -> tuple[Accepted | Rejected, list[DeliveryReport]]:
    """Deliver to each recipient; return the result and the early reports."""
    await virtual_phone_inbox.lock_phones(tx, scope)
    early: list[DeliveryReport] = []
    is_single = len(message.recipients) == 1
    text = _text_of(message, tx.next_sequence())
    participants = dict(zip(message.recipients, message.participant_sids, strict=False))
    for address in message.recipients:
        phone = await virtual_phone_inbox.ensure_phone(tx, scope, address)
        phone = msgspec.structs.replace(phone, **changes.get(address, _UNCHANGED))
        if phone.behaviour == virtual_phone_store.REJECT and is_single:
            code = virtual_phone_behaviours.error_code_of(phone)
            return Rejected(code, f"the virtual phone {address} rejects messages"), []
        if virtual_phone_behaviours.takes_messages(phone.behaviour):
            own = virtual_phone_inbox.for_participant(text, participants.get(address))
            is_new = await _receive(tx, scope, phone, own, media.get(address))
        else:
            is_new = True
        if not is_new:
            continue
        await virtual_phone_inbox.plan_reports(tx, phone, message.reference)
        early += [
            DeliveryReport(each.status, message.reference, None, address, each.error_code)
            for each in virtual_phone_behaviours.planned_reports(phone)
            if each.is_early
        ]
    return Accepted(), early


async def _receive(
    tx: Transaction,
    scope: Scope,
    phone: VirtualPhone,
    text: PhoneText,
    media: tuple[PhoneMedium, ...] | None,
) -> bool:
    if media is None:
        earlier = await virtual_phone_message_store.find_message(tx, scope, phone.address, text.sid)
        if earlier is None:
            raise _PhoneChangedError(f"the virtual phone {phone.address} was just switched")
        return False
    own = virtual_phone_inbox.with_media(text, media)
    return await virtual_phone_inbox.receive(tx, scope, phone, own)


def _text_of(message: OutboundMessage, reference: int) -> PhoneText:
    """Return the message as its phones get it, without media."""
    members = None
    if message.is_group:
        members = tuple(sorted({message.sender or "", *message.recipients}))
    text = PhoneText(
        sid=message.reference,
        sender=message.sender or "",
        recipients=message.recipients,
        members=members,
        body=message.body,
        # Automatic answers belong to no conversation.
        conversation_sid=message.conversation_sid or None,
        message_sid=message.message_sid or None,
    )
    return as_transmitted(text, message.channel, reference, has_media=bool(message.media))


def as_transmitted(text: PhoneText, channel: str, reference: int, *, has_media: bool) -> PhoneText:
    """Return a message as its receiver gets it: an SMS was joined from segments."""
    # A message with media or to a group is an MMS, which has no segments.
    is_sms = channel == addresses.SMS and text.members is None and not has_media
    if not is_sms or text.body is None:
        return text
    received = transmit(text.body, reference)
    return msgspec.structs.replace(
        text, body=received.text, encoding=received.encoding, segments=received.segments
    )
