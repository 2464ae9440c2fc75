"""Actions on the messages of virtual phones, except for sending one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations.call import Rows
from parlour.protocol.addresses import parse_address
from parlour.resources.virtual_phones import behaviours as virtual_phone_behaviours
from parlour.resources.virtual_phones import inbox as virtual_phone_inbox
from parlour.resources.virtual_phones import message_store as virtual_phone_message_store
from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.resources.virtual_phones.actions import phone_in_path
from parlour.vocabulary.dates import updated
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.virtual_phones.message_store import (
        VirtualPhoneMedium,
        VirtualPhoneMessage,
    )
    from parlour.resources.virtual_phones.parameters import (
        ListVirtualPhoneMessages,
        UpdateVirtualPhoneMessage,
    )
    from parlour.store.transaction import Transaction

_REPORTING = frozenset({virtual_phone_store.DELIVER, virtual_phone_store.OFF})


async def list_virtual_phone_messages(
    tx: Transaction, call: Call[ListVirtualPhoneMessages]
) -> Rows:
    """Return a page of what a phone shows, oldest first.

    A list that waits may name a phone that does not exist yet.
    """
    given = call.parameters.given()
    filters = virtual_phone_message_store.MessageFilters(
        sender=given.get("sender", ""),
        recipient=given.get("recipient", ""),
        direction=given.get("direction", ""),
        after_ms=given.get("after", -1),
    )
    address = call.path["Address"]
    if "wait" not in given:
        await phone_in_path(tx, call)
    return Rows(
        await virtual_phone_message_store.list_messages(
            tx, call.scope, address, filters, call.page_request
        )
    )


async def update_virtual_phone_message(
    tx: Transaction, call: Call[UpdateVirtualPhoneMessage]
) -> VirtualPhoneMessage:
    """Mark a received message as read, and report it. Raises 20001 on channels without reads."""
    await virtual_phone_inbox.lock_phones(tx, call.scope)
    phone = await phone_in_path(tx, call)
    found = await virtual_phone_message_store.find_message(
        tx, call.scope, phone.address, call.path["Sid"]
    )
    if found is None or found.is_held:
        raise call.not_found()
    assert call.parameters.given()["status"] == virtual_phone_inbox.READ
    is_received = found.direction == virtual_phone_message_store.RECEIVED
    if not is_received or phone.channel not in virtual_phone_behaviours.READ_CHANNELS:
        raise ApiError(20001, "Only a received message of WhatsApp or RCS can be read.")
    if found.status == virtual_phone_inbox.READ:
        return found
    after = updated(found, tx.now, status=virtual_phone_inbox.READ)
    await virtual_phone_message_store.update_message(tx, call.scope, after)
    if phone.behaviour in _REPORTING:
        await virtual_phone_inbox.plan_report(
            tx, phone, found.sid, virtual_phone_inbox.READ, 0, ms=phone.delay_ms
        )
    await virtual_phone_inbox.emit_change(tx, call.scope, phone.address, found.sid)
    return after


async def check_sender(tx: Transaction, call: Call[Any]) -> None:
    """Raise 404 unless the path names an address that a phone may have."""
    del tx
    text = call.path["Address"]
    if parse_address(text) is None:
        hint = "such as +15550100 or whatsapp:+15550100"
        raise ApiError(20404, f"{text[:100]} is no address of a phone, {hint}.")


async def fetch_virtual_phone_medium(
    tx: Transaction, call: Call[NoParameters]
) -> VirtualPhoneMedium:
    """Return a medium that a phone shows; one of a held message does not exist yet."""
    key = call.path["Address"], call.path["MessageSid"]
    message = await virtual_phone_message_store.find_message(tx, call.scope, *key)
    medium = await virtual_phone_message_store.find_medium(tx, call.scope, *key, call.path["Sid"])
    if message is None or message.is_held or medium is None:
        raise call.not_found()
    return medium
