"""Actions on virtual phones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import Rows
from parlour.resources.virtual_phones import inbox as virtual_phone_inbox
from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.vocabulary.dates import updated
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from typing import Any

    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.virtual_phones.parameters import (
        CreateVirtualPhone,
        ListVirtualPhones,
        UpdateVirtualPhone,
    )
    from parlour.resources.virtual_phones.store import VirtualPhone
    from parlour.store.transaction import Transaction


async def phone_in_path(tx: Transaction, call: Call[Any]) -> VirtualPhone:
    """Return the phone that the path names. Raises 404."""
    phone = await virtual_phone_store.find_virtual_phone(tx, call.scope, call.path["Address"])
    if phone is None:
        raise call.not_found()
    return phone


async def list_virtual_phones(tx: Transaction, call: Call[ListVirtualPhones]) -> Rows:
    """Return a page of the account's phones, the last active one first."""
    channel = call.parameters.given().get("channel", "")
    phones = await virtual_phone_store.list_virtual_phones(
        tx, call.scope, channel, call.page_request
    )
    return Rows(phones, order="activity", sid="token")


async def create_virtual_phone(tx: Transaction, call: Call[CreateVirtualPhone]) -> VirtualPhone:
    """Create a phone. Raises 409 if it exists."""
    given = call.parameters.given()
    await virtual_phone_inbox.lock_phones(tx, call.scope)
    address = given["address"]
    if await virtual_phone_store.find_virtual_phone(tx, call.scope, address) is not None:
        raise ApiError(20409, f"The phone {address} exists already.")
    return await virtual_phone_inbox.create_phone(tx, call.scope, address, given.get("name"))


async def fetch_virtual_phone(tx: Transaction, call: Call[NoParameters]) -> VirtualPhone:
    """Return the phone that the path names."""
    return await phone_in_path(tx, call)


async def update_virtual_phone(tx: Transaction, call: Call[UpdateVirtualPhone]) -> VirtualPhone:
    """Change the behaviour of a phone; one that is switched on gets the messages held for it."""
    await virtual_phone_inbox.lock_phones(tx, call.scope)
    before = await phone_in_path(tx, call)
    given = call.parameters.given()
    if "reads" in given:
        given["reads"] = int(given["reads"])
    after = updated(before, tx.now, activity=tx.next_sequence(), **given)
    await virtual_phone_store.update_virtual_phone_row(tx, call.scope, after)
    is_off = virtual_phone_store.OFF
    if before.behaviour == is_off and after.behaviour != is_off:
        await virtual_phone_inbox.release_held(tx, call.scope, after)
    await virtual_phone_inbox.emit_change(tx, call.scope, after.address, after.token)
    return after


async def delete_virtual_phone(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a phone and its inbox; messages of conversations stay."""
    await virtual_phone_inbox.lock_phones(tx, call.scope)
    phone = await phone_in_path(tx, call)
    await virtual_phone_inbox.delete_phone(tx, call.scope, phone.address)
