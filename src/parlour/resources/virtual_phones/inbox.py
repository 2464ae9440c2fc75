"""Changes of phones and their inboxes, within the limits of the account.

Every change locks the phones of the account: the limits count rows. A message that the limits
remove takes its media with it; their files are deleted by ``media_garbage_collection.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.protocol.addresses import parse_address
from parlour.resources.virtual_phones import behaviours as virtual_phone_behaviours
from parlour.resources.virtual_phones import message_store as virtual_phone_message_store
from parlour.resources.virtual_phones import report_store as virtual_phone_report_store
from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.resources.virtual_phones.message_store import (
    RECEIVED,
    PhoneMedium,
    VirtualPhoneMedium,
    VirtualPhoneMessage,
)
from parlour.resources.virtual_phones.report_store import VirtualPhoneReport
from parlour.resources.virtual_phones.store import VirtualPhone
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.dates import updated
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.store.transaction import Transaction

DELIVERED = "delivered"
READ = "read"


class PhoneText(msgspec.Struct, frozen=True, kw_only=True):
    """A message to a phone, or from it; ``members`` are the members of a group, in order.

    ``media`` are the copies of this phone, whose blobs are persisted. ``segments`` is 1 where the
    channel has no segments, and ``encoding`` None. ``participant_sid`` is the participant that the
    message was sent to.
    """

    sid: str
    sender: str
    recipients: tuple[str, ...]
    members: tuple[str, ...] | None
    body: str | None
    media: tuple[PhoneMedium, ...] = ()
    encoding: str | None = None
    segments: int = 1
    conversation_sid: str | None = None
    message_sid: str | None = None
    participant_sid: str | None = None


def with_media(text: PhoneText, media: tuple[PhoneMedium, ...]) -> PhoneText:
    """Return a text with the copies of another phone."""
    return msgspec.structs.replace(text, media=media)


def for_participant(text: PhoneText, participant_sid: str | None) -> PhoneText:
    """Return a text for one of its recipients."""
    return msgspec.structs.replace(text, participant_sid=participant_sid)


async def lock_phones(tx: Transaction, scope: Scope) -> None:
    """Lock the phones of the account until the transaction ends."""
    await tx.lock_name("virtual phones", scope.account_sid)


async def emit_change(tx: Transaction, scope: Scope, address: str, subject_sid: str) -> None:
    """Emit the event of a changed phone or message."""
    await tx.emit(
        scope,
        event_names.VIRTUAL_PHONE_CHANGED,
        subject_sid=subject_sid,
        payload={"address": address},
    )


# --- Phones -------------------------------------------------------------------------------


async def create_phone(
    tx: Transaction, scope: Scope, address: str, name: str | None = None
) -> VirtualPhone:
    """Create a phone with the default behaviour. The phones of the account are locked.

    The phone that was quiet longest makes room for it.
    """
    parsed = parse_address(address)
    assert parsed is not None, address
    usage = await virtual_phone_store.get_usage(tx, scope)
    if usage.phones >= limits.VIRTUAL_PHONES_PER_ACCOUNT_MAX:
        quietest = await virtual_phone_store.find_quietest_address(tx, scope)
        assert quietest is not None
        await delete_phone(tx, scope, quietest)
        usage = await virtual_phone_store.get_usage(tx, scope)
    phone = VirtualPhone(
        account_sid=scope.account_sid,
        address=address,
        token=tx.new_sid("VP"),
        channel=parsed.type,
        name=name,
        behaviour=virtual_phone_store.DELIVER,
        delay_ms=0,
        error_code=0,
        receipts=virtual_phone_store.NORMAL,
        reads=0,
        activity=tx.next_sequence(),
        date_created=tx.now,
        date_updated=tx.now,
    )
    await virtual_phone_store.insert_virtual_phone(tx, scope, phone)
    after = msgspec.structs.replace(usage, phones=usage.phones + 1)
    await virtual_phone_store.save_usage(tx, scope, after)
    await emit_change(tx, scope, address, phone.token)
    return phone


async def ensure_phone(tx: Transaction, scope: Scope, address: str) -> VirtualPhone:
    """Return the phone with this address, a new one if there is none; it is the last active."""
    phone = await virtual_phone_store.find_virtual_phone(tx, scope, address)
    if phone is None:
        return await create_phone(tx, scope, address)
    after = msgspec.structs.replace(phone, activity=tx.next_sequence())
    await virtual_phone_store.update_virtual_phone_row(tx, scope, after)
    return after


async def delete_phone(tx: Transaction, scope: Scope, address: str) -> None:
    """Delete a phone and its inbox. The phones of the account are locked."""
    while True:  # Ends: the listed messages are deleted, and a phone has a bounded number.
        found = await virtual_phone_message_store.list_oldest(
            tx, scope, limits.VIRTUAL_PHONE_EVICTIONS_MAX, address
        )
        if not found:
            break
        await _delete_messages(tx, scope, found)
    await virtual_phone_store.delete_virtual_phone_row(tx, scope, address)
    usage = await virtual_phone_store.get_usage(tx, scope)
    after = msgspec.structs.replace(usage, phones=usage.phones - 1)
    await virtual_phone_store.save_usage(tx, scope, after)
    await emit_change(tx, scope, address, address)


# --- Messages -----------------------------------------------------------------------------


async def receive(tx: Transaction, scope: Scope, phone: VirtualPhone, text: PhoneText) -> bool:
    """Store a message in the inbox of a phone; False for a duplicate.

    A phone that is off holds it back. The phones of the account are locked.
    """
    duplicate = await virtual_phone_message_store.find_message(tx, scope, phone.address, text.sid)
    if duplicate is not None:
        return False
    is_held = phone.behaviour == virtual_phone_store.OFF
    status = READ if virtual_phone_behaviours.reads_at_once(phone) else DELIVERED
    message = _message(tx, phone, text, direction=RECEIVED, status=status, is_held=int(is_held))
    await add_message(tx, scope, message, text.media)
    return True


async def add_sent(
    tx: Transaction, scope: Scope, phone: VirtualPhone, text: PhoneText
) -> VirtualPhoneMessage:
    """Store a message that a phone sends, before anyone got it."""
    message = _message(
        tx, phone, text, direction=virtual_phone_message_store.SENT, status="queued", is_held=0
    )
    await add_message(tx, scope, message, text.media)
    return message


def _message(
    tx: Transaction, phone: VirtualPhone, text: PhoneText, **own: Any
) -> VirtualPhoneMessage:
    size = len((text.body or "").encode()) + sum(each.size for each in text.media)
    members = None if text.members is None else _json(text.members)
    return VirtualPhoneMessage(
        account_sid=phone.account_sid,
        address=phone.address,
        sid=text.sid,
        sequence=tx.next_sequence(),
        sender=text.sender,
        recipients=_json(text.recipients),
        members=members,
        body=text.body,
        media=_json(text.media),
        size=size,
        encoding=text.encoding,
        segments=text.segments,
        error_code=None,
        conversation_sid=text.conversation_sid,
        message_sid=text.message_sid,
        participant_sid=text.participant_sid,
        outcome=None,
        reason=None,
        date_created=tx.now,
        date_updated=tx.now,
        **own,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def add_message(
    tx: Transaction,
    scope: Scope,
    message: VirtualPhoneMessage,
    media: Sequence[PhoneMedium],
) -> None:
    """Insert a message with its media, after the oldest ones have made room."""
    await _make_room(tx, scope, message)
    await virtual_phone_message_store.insert_message(tx, scope, message)
    for each in media:
        row = VirtualPhoneMedium(
            account_sid=scope.account_sid,
            sid=each.sid,
            address=message.address,
            message_sid=message.sid,
            content_type=each.content_type,
            size=each.size,
            filename=each.filename,
        )
        await virtual_phone_message_store.insert_medium(tx, scope, row)
    usage = await virtual_phone_store.get_usage(tx, scope)
    after = msgspec.structs.replace(usage, bytes=usage.bytes + message.size)
    await virtual_phone_store.save_usage(tx, scope, after)
    await emit_change(tx, scope, message.address, message.sid)


async def _make_room(tx: Transaction, scope: Scope, message: VirtualPhoneMessage) -> None:
    count = await virtual_phone_message_store.count_messages(tx, scope, message.address)
    excess = count + 1 - limits.VIRTUAL_PHONE_MESSAGES_MAX
    if excess > 0:
        oldest = await virtual_phone_message_store.list_oldest(tx, scope, excess, message.address)
        await _delete_messages(tx, scope, oldest)
    while True:  # Ends: each round deletes messages, and without any the usage is 0.
        usage = await virtual_phone_store.get_usage(tx, scope)
        missing = usage.bytes + message.size - limits.VIRTUAL_PHONE_BYTES_PER_ACCOUNT_MAX
        if missing <= 0:
            return
        chosen = []
        for each in await virtual_phone_message_store.list_oldest(
            tx, scope, limits.VIRTUAL_PHONE_EVICTIONS_MAX
        ):
            if missing <= 0:
                break
            chosen.append(each)
            missing -= each.size
        assert chosen, "the account has no messages, so its usage is 0"
        await _delete_messages(tx, scope, chosen)


async def _delete_messages(
    tx: Transaction, scope: Scope, messages: Sequence[VirtualPhoneMessage]
) -> None:
    for each in messages:
        await virtual_phone_message_store.remove_media(tx, scope, each.address, each.sid)
        await virtual_phone_message_store.delete_message(tx, scope, each.address, each.sid)
    usage = await virtual_phone_store.get_usage(tx, scope)
    freed = sum(each.size for each in messages)
    after = msgspec.structs.replace(usage, bytes=usage.bytes - freed)
    await virtual_phone_store.save_usage(tx, scope, after)


# --- Reports ------------------------------------------------------------------------------


# tidy: event-for-change - a report has its event once it is passed on
async def plan_report(
    tx: Transaction, phone: VirtualPhone, reference: str, status: str, error_code: int, *, ms: int
) -> None:
    """Store a report that is due after ``ms`` milliseconds."""
    report = VirtualPhoneReport(
        account_sid=phone.account_sid,
        sequence=tx.next_sequence(),
        reference=reference,
        recipient=phone.address,
        status=status,
        error_code=error_code,
        due_ms=tx.now + ms,
    )
    await virtual_phone_report_store.insert_report(tx, Scope(phone.account_sid), report)


async def plan_reports(tx: Transaction, phone: VirtualPhone, reference: str) -> None:
    """Store the reports of the phone's behaviour, except those before the acceptance."""
    for each in virtual_phone_behaviours.planned_reports(phone):
        if not each.is_early:
            await plan_report(tx, phone, reference, each.status, each.error_code, ms=each.delay_ms)


async def release_held(tx: Transaction, scope: Scope, phone: VirtualPhone) -> None:
    """Deliver the messages that waited for a phone, by its new behaviour."""
    held = await virtual_phone_message_store.list_held(
        tx, scope, phone.address, limits.VIRTUAL_PHONE_MESSAGES_MAX
    )
    status = READ if virtual_phone_behaviours.reads_at_once(phone) else DELIVERED
    for each in held:
        # They arrive now: after the messages that the phone has already.
        now = {"sequence": tx.next_sequence(), "date_created": tx.now, "status": status}
        after = updated(each, tx.now, is_held=0, **now)
        await virtual_phone_message_store.update_message(tx, scope, after)
        # A message of another member of a group is no submission of the server.
        is_submitted = each.message_sid is not None
        reports = virtual_phone_behaviours.planned_reports(phone) if is_submitted else []
        for report in reports:
            await plan_report(
                tx, phone, each.sid, report.status, report.error_code, ms=report.delay_ms
            )
    if held and not virtual_phone_behaviours.takes_messages(phone.behaviour):
        await _delete_messages(tx, scope, held)
