"""Statements run only by carriers, by inbound messages and by virtual phones."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from parlour.resources.accounts import store as account_store
from parlour.resources.channel_metadata import store as channel_metadata_store
from parlour.resources.channel_metadata.store import ChannelMetadata
from parlour.resources.inbound import actions as inbound_actions
from parlour.resources.inbound import store as inbound_store
from parlour.resources.inbox import given_up_store as inbox_given_up_store
from parlour.resources.inbox import store as inbox_store
from parlour.resources.inbox import unacknowledged_store as inbox_unacknowledged_store
from parlour.resources.inbox.store import InboxEntry
from parlour.resources.inbox.unacknowledged_store import Unacknowledged
from parlour.resources.media import garbage_collection as media_garbage_collection
from parlour.resources.messages import channel_content as message_channel_content
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.opt_outs import store as opt_out_store
from parlour.resources.outbox import store as outbox_store
from parlour.resources.outbox.store import Submission, SubmissionState
from parlour.resources.participants import store as participant_store
from parlour.resources.virtual_phones import (
    media_garbage_collection as virtual_phone_media_garbage_collection,
)
from parlour.resources.virtual_phones import message_store as virtual_phone_message_store
from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.resources.virtual_phones.message_store import VirtualPhoneMedium
from parlour.resources.whatsapp_windows import store as whatsapp_window_store
from parlour.vocabulary import limits, sids
from parlour.vocabulary.scope import Scope
from tests.security.tenants.twin_accounts import PROXY
from tests.security.tenants.valid_forms import PHONES, fresh_number

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from tests.security.tenants.twin_accounts import AccountObjects

CARRIER = "a carrier"
LANE = "a lane"
FOLD_KEY = "a fold key"
MAIL_ID = "<one@example.com>"
LATER_MS = 60_000


async def run_statements(tx: Transaction, world: AccountObjects) -> None:
    """Send and receive through carriers; a conversation keeps rows that are purged with it."""
    scope = Scope(world.sid, world.default.sid)
    lobby_sid = world.default.chain["Conversations"]
    await _run_inbound(tx, scope, world, lobby_sid)
    await _run_inbox(tx, scope)
    await _run_outbox(tx, scope, lobby_sid)
    await _run_metadata(tx, scope, lobby_sid)
    await _run_opt_outs(tx, scope)
    await _run_virtual_phones(tx, scope, world)
    receipt = await message_receipt_store.find_receipt(tx, scope, world.default.chain["Receipts"])
    assert receipt is not None
    copy = msgspec.structs.replace(
        receipt, sid=tx.new_sid(sids.RECEIPT), sequence=tx.next_sequence()
    )
    await message_receipt_store.insert_receipt(tx, scope, copy)
    assert await message_receipt_store.delete_receipt(tx, scope, copy.sid) == 1


async def _run_inbound(
    tx: Transaction, scope: Scope, world: AccountObjects, lobby_sid: str
) -> None:
    """Find the conversation of a message by its numbers, and take over its medium."""
    pair = await inbound_store.find_pair(tx, scope, PHONES[0], PROXY)
    assert pair is not None
    assert pair.conversation_sid == lobby_sid
    assert await inbound_store.find_service_of(tx, scope, lobby_sid) == scope.service_sid
    assert await inbound_store.list_open_participants(tx, scope, PHONES[0])
    medium_sid = world.default.chain["Media"]
    assert await inbound_store.find_inbound_medium(tx, scope, medium_sid)
    await inbound_store.adopt_medium(tx, scope, medium_sid)
    expiry_ms = tx.now + limits.MEDIA_UNATTACHED_MS
    await inbound_store.postpone_expiry(tx, scope, medium_sid, expiry_ms)
    number = fresh_number()
    await tx.run(
        "INSERT INTO carrier_number (account_sid, address, settings) VALUES ($1, $2, '{}')",
        scope.account_sid,
        number,
    )
    assert await participant_store.is_own_number(tx, scope, number)
    assert await account_store.may_send_from(tx, scope, number)


async def _run_inbox(tx: Transaction, scope: Scope) -> None:
    """Process two copies of a message; they are done at the end, so that no sweep finds them."""
    entries = [_inbox_entry(tx, scope, number) for number in (1, 2)]
    for entry in entries:
        assert await inbox_store.insert_entry(tx, scope, entry)
    first, second = entries
    until_ms = tx.now + LATER_MS
    assert await inbox_store.claim_entry(
        tx, scope, first.key, due_ms=first.due_ms, until_ms=until_ms
    )
    claimed = msgspec.structs.replace(first, due_ms=until_ms)
    assert await inbox_store.find_entry(tx, scope, *first.key[1:]) == claimed
    assert await inbox_store.lock_entry(tx, scope, *first.key[1:]) == claimed
    assert not await inbox_store.backlog_is_full(tx, scope)
    assert await inbox_store.find_first_of_lane(tx, scope, LANE) == claimed
    assert await inbox_store.list_earlier_copies(tx, scope, second, (0, tx.now)) == [claimed]
    row = Unacknowledged(*first.key, sequence=first.sequence, date_created=tx.now)
    await inbox_unacknowledged_store.insert_unacknowledged(tx, scope, row)
    provider_ids = [first.provider_id]
    await inbox_unacknowledged_store.delete_acknowledged(tx, scope, CARRIER, provider_ids)
    for entry in (claimed, second):
        tried = msgspec.structs.replace(entry, attempts=1)
        await inbox_store.update_entry(tx, scope, entry, tried)
        done = msgspec.structs.replace(tried, state=inbox_store.DONE, due_ms=None, content=None)
        await inbox_store.update_entry(tx, scope, tried, done)
    await _replay_given_up(tx, scope, done)


async def _replay_given_up(tx: Transaction, scope: Scope, done: InboxEntry) -> None:
    """List and replay a message that was given up; it is done at the end."""
    given_up = msgspec.structs.replace(done, content="{}")
    sid = given_up.channel_message_sid
    await inbox_store.update_entry(tx, scope, done, given_up)
    assert await inbox_given_up_store.list_given_up(tx, scope, sys.maxsize, 10) == [given_up]
    assert (await inbound_actions.replay_range(tx, scope, 0, None)).replayed == 1
    replayed = await inbox_store.lock_entry(tx, scope, *given_up.key[1:])
    assert replayed is not None
    assert replayed.state == inbox_store.PENDING
    await inbox_store.update_entry(tx, scope, replayed, given_up)
    assert (await inbound_actions.replay_sid(tx, scope, sid)).replayed == 1
    replayed = await inbox_store.lock_entry(tx, scope, *given_up.key[1:])
    assert replayed is not None
    await inbox_store.update_entry(tx, scope, replayed, done)


def _inbox_entry(tx: Transaction, scope: Scope, number: int) -> InboxEntry:
    return InboxEntry(
        account_sid=scope.account_sid,
        carrier=CARRIER,
        provider_id=f"{scope.account_sid} {number}",
        sequence=tx.next_sequence(),
        lane=LANE,
        receiver=PROXY,
        channel_message_sid=tx.new_sid(sids.SMS),
        state=inbox_store.PENDING,
        content="{}",
        due_ms=tx.now,
        attempts=0,
        fold_key=FOLD_KEY,
        is_copy=0,
        outcome=None,
        reason=None,
        conversation_sid=None,
        message_sid=None,
        participant_sid=None,
        date_created=tx.now,
        date_updated=tx.now,
    )


async def _run_outbox(tx: Transaction, scope: Scope, lobby_sid: str) -> None:
    """Send two mails with a part each; the message of one is deleted, the other remains."""
    submissions = [_submission(tx, scope, lobby_sid, number) for number in (1, 2)]
    for submission in submissions:
        await outbox_store.insert_submission(tx, submission)
        await outbox_store.retry_submission(tx, submission, tx.now + LATER_MS, "an error")
        assert await outbox_store.accept_submission(tx, submission)
        await outbox_store.add_part(tx, submission, submission.sid, 0)
        (part,) = await outbox_store.list_parts(tx, submission, 10)
        await outbox_store.update_part(tx, submission, part._replace(status="delivered"))
    key = (scope.account_sid, lobby_sid)
    assert len(await tx.all(message_channel_content.LAST_MAILS, *key, 2)) == 2
    deleted = submissions[0].message_sid
    await outbox_store.delete_submissions_of_message(tx, scope, deleted)
    assert await outbox_store.list_parts(tx, submissions[0], 10) == []


def _submission(tx: Transaction, scope: Scope, lobby_sid: str, number: int) -> Submission:
    return Submission(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid=lobby_sid,
        message_sid=tx.new_sid(sids.MESSAGE),
        sid=tx.new_sid(sids.SMS),
        carrier=CARRIER,
        channel="email",
        sender="desk@example.com",
        lane=LANE,
        lane_order=100 + number,
        is_group=0,
        recipients="[]",
        content="{}",
        state=SubmissionState.QUEUED,
        attempts=0,
        due_ms=tx.now,
        expires_ms=tx.now + LATER_MS,
        last_error=None,
        date_created=tx.now,
        date_ended=None,
    )


async def _run_metadata(tx: Transaction, scope: Scope, lobby_sid: str) -> None:
    """Add metadata to two messages; one is deleted, the other remains."""
    message_sids = [tx.new_sid(sids.MESSAGE) for _ in range(2)]
    for sid in message_sids:
        sequence = tx.next_sequence()
        metadata = ChannelMetadata(
            scope.account_sid, lobby_sid, sid, sequence, "email", "{}", MAIL_ID
        )
        await channel_metadata_store.insert_metadata(tx, scope, metadata)
        assert await channel_metadata_store.find_metadata(tx, scope, sid) == metadata
    key = (scope.account_sid, lobby_sid)
    assert len(await tx.all(message_channel_content.LAST_INBOUND_MAILS, *key, 2)) == 2
    assert await channel_metadata_store.delete_metadata(tx, scope, message_sids[0]) == 1


async def _run_opt_outs(tx: Transaction, scope: Scope) -> None:
    """Opt out and in again, and write to a sender of WhatsApp."""
    pair = (PROXY, fresh_number())
    assert await opt_out_store.insert_opt_out(tx, scope, None, *pair)
    assert await opt_out_store.is_opted_out(tx, scope, None, *pair)
    assert await opt_out_store.delete_opt_outs(tx, scope, None, *pair)
    await whatsapp_window_store.open_window(tx, scope, *pair, tx.now)
    assert await whatsapp_window_store.last_inbound_ms(tx, scope, *pair) == tx.now


async def _run_virtual_phones(tx: Transaction, scope: Scope, world: AccountObjects) -> None:
    """Hold a message for a phone, with a medium that is deleted."""
    address = world.account["VirtualPhones"]
    (message, *_) = await virtual_phone_message_store.list_oldest(tx, scope, 1)
    held = msgspec.structs.replace(
        message, address=address, sid=tx.new_sid(sids.WHATSAPP_MESSAGE), is_held=1
    )
    await virtual_phone_message_store.insert_message(tx, scope, held)
    assert await virtual_phone_message_store.list_held(tx, scope, address, 10) == [held]
    answered = msgspec.structs.replace(
        message,
        address=address,
        sid=tx.new_sid(sids.WHATSAPP_MESSAGE),
        message_sid=world.default.chain["Messages"],
    )
    await virtual_phone_message_store.insert_message(tx, scope, answered)
    last = await virtual_phone_message_store.find_last_from(tx, scope, address, message.sender)
    assert last == answered
    medium = VirtualPhoneMedium(
        scope.account_sid, tx.new_sid(sids.MEDIA), address, held.sid, "text/plain", 3, None
    )
    await virtual_phone_message_store.insert_medium(tx, scope, medium)
    found = await virtual_phone_message_store.find_medium(tx, scope, address, held.sid, medium.sid)
    assert found == medium
    assert await virtual_phone_message_store.find_any_medium(tx, scope, medium.sid) == medium
    key = (scope.account_sid, medium.sid)
    assert await tx.one(media_garbage_collection.EXISTS, *key)
    await virtual_phone_message_store.remove_media(tx, scope, address, held.sid)
    assert await tx.run(virtual_phone_media_garbage_collection.DELETE_REMOVED, *key) == 1
    assert await virtual_phone_store.find_quietest_address(tx, scope)
