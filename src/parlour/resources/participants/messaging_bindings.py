"""The rules of messaging bindings: valid combinations of addresses, and their ownership.

Outside a group (``groups.py``) every address has a proxy, except e-mail, which never has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.addresses import EMAIL, SMS, ChannelAddress
from parlour.resources.accounts import store as account_store
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.participants import store as participant_store
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.participants.parameters import CreateParticipant
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


def address_or_none(address: Any) -> ChannelAddress | None:
    """Return the address from a parameter, or None if it is absent."""
    return None if address is UNSET else address


async def check_binding(
    tx: Transaction, scope: Scope, conversation: Conversation, change: CreateParticipant
) -> None:
    """Raise if identity, address, proxy and projected address do not go together."""
    address, proxy = address_or_none(change.address), address_or_none(change.proxy_address)
    projected = address_or_none(change.projected_address)
    if change.identity is not UNSET and (address or proxy):
        raise ApiError(50211)
    if proxy is not None and address is None:
        raise ApiError(50411)
    if address is not None and projected is not None:
        raise ApiError(50407)
    if change.identity is UNSET and address is None and projected is None:
        raise ApiError(50204)
    if address is not None and proxy is None and address.type not in {SMS, EMAIL}:
        raise ApiError(50412)
    if (address or projected) and conversation.messaging_service_sid is None:
        raise ApiError(50373)
    if proxy is not None:
        await require_sender(tx, scope, address, proxy)
    if projected is not None:
        await require_own_projected_address(tx, scope, projected)
    if address is not None:
        await _require_foreign_address(tx, scope, address, has_proxy=proxy is not None)


async def _require_foreign_address(
    tx: Transaction, scope: Scope, address: ChannelAddress, *, has_proxy: bool
) -> None:
    """Raise 50407 for a number of the account, whose messages could go round in a circle.

    With ``loopback`` in the table of numbers it may be in a pair, but not in a group.
    """
    if not await participant_store.is_own_number(tx, scope, address.text):
        return
    number = await carrier_number_store.find_number(tx, address.text)
    if number is None or not number.loopback or not has_proxy:
        raise ApiError(50407)


async def require_sender(
    tx: Transaction, scope: Scope, address: ChannelAddress | None, proxy: ChannelAddress
) -> None:
    """Raise unless the proxy has the address's channel, differs from it, and is the account's."""
    if address is not None:
        if address.type == "email":
            raise ApiError(50453)
        if address.text == proxy.text:
            raise ApiError(50409)
        if address.type != proxy.type:
            raise ApiError(50414)
    if not await account_store.may_send_from(tx, scope, proxy.text):
        raise ApiError(50415 if proxy.type == "whatsapp" else 50413)


async def require_own_projected_address(
    tx: Transaction, scope: Scope, projected: ChannelAddress
) -> None:
    """Raise unless the projected address is one of the account's numbers."""
    if not await account_store.may_send_from(tx, scope, projected.text):
        raise ApiError(50439)


async def require_free_address_pair(
    tx: Transaction, scope: Scope, conversation_sid: str, address: str, proxy_address: str
) -> None:
    """Raise 409 if the pair is bound in another conversation of the account."""
    holder = await participant_store.find_address_pair_owner(tx, scope, address, proxy_address)
    if holder is None:
        return
    if holder == conversation_sid:
        counts = await participant_store.count_participants(tx, scope, conversation_sid)
        if counts.in_group_form:
            raise ApiError(50437)
    raise ApiError(50416, conversation_sid=holder)


def _require_channel(change: CreateParticipant, bound: ChannelAddress | None) -> None:
    """Raise 50414 if the request names another channel than the one of the address."""
    if change.type is not UNSET and (bound is None or change.type.lower() != bound.type):
        raise ApiError(50414)


def email_details(
    change: CreateParticipant, bound: ChannelAddress | None
) -> tuple[str | None, str | None]:
    """Return the level and the name of an e-mail address.

    Raises 50420 if another address has them, and 50414 if the request names another channel.
    """
    _require_channel(change, bound)
    if bound is None or bound.type != EMAIL:
        if change.has_email_details:
            raise ApiError(50420)
        return None, None
    level = "to" if change.level is UNSET else change.level
    return level, None if change.name is UNSET else change.name
