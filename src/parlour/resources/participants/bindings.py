"""The rules of messaging bindings: which addresses may go together, and whose they are.

A conversation is a group (group MMS) as soon as one participant is native (an address without a
proxy) or has a projected address. Outside a group every address has a proxy, except e-mail, which
never has one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from parlour.resources.accounts import store as accounts
from parlour.resources.participants import store
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.protocol.addresses import Address
    from parlour.resources.participants.store import Participant
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

# Groups exist between long codes of the United States and Canada only: +1 numbers but those of
# other countries of the plan, and no toll-free ones.
_NORTH_AMERICAN = re.compile(r"\+1([2-9]\d{2})[2-9]\d{6}\Z")
_EXCLUDED_AREAS = frozenset(
    "242 246 264 268 284 340 345 441 473 649 658 664 670 671 684 721 758 767 784 787 809 829"
    " 849 868 869 876 939 800 833 844 855 866 877 888".split()
)


def may_be_in_group(address: str) -> bool:
    """Whether a number can take part in a group."""
    found = _NORTH_AMERICAN.match(address)
    return found is not None and found.group(1) not in _EXCLUDED_AREAS


async def must_be_sender(
    tx: Transaction, scope: Scope, address: Address | None, proxy: Address
) -> None:
    """A proxy of this address: same channel, not the same, and the account's own."""
    if address is not None:
        if address.type == "email":
            raise ApiError(50453)
        if address.text == proxy.text:
            raise ApiError(50409)
        if address.type != proxy.type:
            raise ApiError(50414)
    if not await accounts.may_send_from(tx, scope, proxy.text):
        raise ApiError(50415 if proxy.type == "whatsapp" else 50413)


async def must_be_own_projected(tx: Transaction, scope: Scope, projected: Address) -> None:
    """A projected address: one of the account's numbers."""
    if not await accounts.may_send_from(tx, scope, projected.text):
        raise ApiError(50439)


async def must_be_free(
    tx: Transaction, scope: Scope, conversation_sid: str, address: str, proxy_address: str
) -> None:
    """Raise 409 while the pair is bound anywhere in the account."""
    holder = await store.holder_of_pair(tx, scope, address, proxy_address)
    if holder is None:
        return
    if holder == conversation_sid:
        group = (await store.counts(tx, scope, conversation_sid))[2]
        if group:
            raise ApiError(50437)
    raise ApiError(50416, conversation_sid=holder)


def must_suit_group(participant: Participant, others: Iterable[Participant]) -> None:
    """The rules of a group for one more, or a changed, participant."""
    others = list(others)
    if participant.is_chat:
        raise ApiError(50434)
    if participant.is_native:
        assert participant.address is not None
        if not may_be_in_group(participant.address):
            raise ApiError(50407)
        if any(other.address == participant.address for other in others):
            raise ApiError(50437)
    if len(others) + 1 > limits.GROUP_MMS_PARTICIPANTS_MAX:
        raise ApiError(50436)


def group_key(participants: Iterable[Participant]) -> frozenset[str]:
    """The numbers that name a group: members, projected addresses, proxies of masked members."""
    numbers: set[str] = set()
    for each in participants:
        own = each.proxy_address or each.projected_address
        if own is not None:
            numbers.add(own)
        if each.is_native and each.address is not None:
            numbers.add(each.address)
    return frozenset(numbers)


async def must_be_only_group(
    tx: Transaction, scope: Scope, conversation_sid: str, participants: list[Participant]
) -> None:
    """Raise 50438 if another open conversation is a group of exactly these numbers."""
    key = group_key(participants)
    native = next((each for each in participants if each.is_native), None)
    if native is None or native.address is None or len(key) < 2:
        return
    await tx.hold("group", scope.account_sid, *sorted(key))
    for other_sid in await store.groups_with(tx, scope, native.address, conversation_sid):
        others = await store.everyone(tx, scope, other_sid)
        if any(each.is_group_form for each in others) and group_key(others) == key:
            raise ApiError(50438, conversation_sid=other_sid)
