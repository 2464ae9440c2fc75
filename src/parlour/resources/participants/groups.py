"""The rules of groups (group MMS): who may be in one, and which numbers identify it.

A conversation is a group as soon as one participant is in group form: a member (an address without
a proxy) or a projected address. Participants may come in any order.

| the conversation holds | a member | a projected address | a pair | a plain chat identity |
|---|---|---|---|---|
| none, or only e-mail | yes | yes | yes | yes |
| a plain chat identity | 50412 | yes | yes | yes |
| pairs only: they are 1:1 | 50412 | yes | yes | yes |
| members or projected addresses | yes | yes | yes, as a masked member | 50434 |

The first matching line applies, from the second on. The numbers of the members and the account's
own numbers (projected addresses, proxies of masked members) form the *set* of a group; it is
complete with at least one of each. The set contains SMS numbers only: WhatsApp pairs and e-mail
addresses are not part of the thread. Two open conversations of an account must not complete the
same set: such a change is rejected with 50438. Removing a participant is always allowed, so it may
leave two equal sets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from parlour.resources.participants import store as participant_store
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from parlour.resources.participants.store import Participant, ParticipantCounts
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

# Groups exist only between long codes of the United States and Canada: +1 numbers without the other
# countries of the numbering plan, and without toll-free numbers.
_NORTH_AMERICAN = re.compile(r"\+1([2-9]\d{2})[2-9]\d{6}\Z")
_EXCLUDED_AREAS = frozenset(
    "242 246 264 268 284 340 345 441 473 649 658 664 670 671 684 721 758 767 784 787 809 829"
    " 849 868 869 876 939 800 833 844 855 866 877 888".split()
)


def may_be_in_group(address: str) -> bool:
    """Return whether a number can take part in a group."""
    found = _NORTH_AMERICAN.match(address)
    return found is not None and found.group(1) not in _EXCLUDED_AREAS


def require_room_for_native_members(counts: ParticipantCounts) -> None:
    """Raise 50412 if an address without a proxy may not join the counted participants."""
    if counts.chat or (counts.pairs and not counts.in_group_form):
        raise ApiError(50412)


def check_group_rules(participant: Participant, others: Sequence[Participant]) -> None:
    """Raise if a new or changed participant breaks the rules of a group."""
    if participant.is_chat:
        raise ApiError(50434)
    if participant.is_native:
        assert participant.address is not None
        if not may_be_in_group(participant.address):
            raise ApiError(50407)
    alike = [other for other in others if other.address and other.address == participant.address]
    if any(participant.is_native or other.is_native for other in alike):
        raise ApiError(50437)
    own = participant.own_number
    if own is not None and any(other.address == own for other in others):
        raise ApiError(50407)
    if len(others) + 1 > limits.GROUP_MMS_PARTICIPANTS_MAX:
        raise ApiError(50436)


def group_numbers(participants: Iterable[Participant]) -> frozenset[str]:
    """Return the numbers that identify a group; empty unless the set is complete."""
    members: set[str] = set()
    own: set[str] = set()
    for each in participants:
        if each.group_number is not None:
            own.add(each.group_number)
        elif each.is_native and each.address is not None:
            members.add(each.address)
    return frozenset(members | own) if members and own else frozenset()


async def require_unique_group(
    tx: Transaction,
    scope: Scope,
    conversation_sid: str,
    before: Iterable[Participant],
    after: Sequence[Participant],
) -> None:
    """Raise 50438 if a change completes the set of another open conversation.

    The name of the set is locked until the transaction ends: of two conversations that complete it
    concurrently, the second one finds the first.
    """
    numbers = group_numbers(after)
    if not numbers or numbers == group_numbers(before):
        return
    await tx.lock_name("group", scope.account_sid, *sorted(numbers))
    pending_sid = await participant_store.find_group_reservation(tx, scope, numbers)
    if pending_sid is not None and pending_sid != conversation_sid:
        raise ApiError(50438, conversation_sid=pending_sid)
    member = next(each.address for each in after if each.is_native)
    assert member is not None
    for other_sid in await participant_store.find_groups_by_numbers(
        tx, scope, numbers, member, conversation_sid
    ):
        if (
            group_numbers(await participant_store.list_all_participants(tx, scope, other_sid))
            == numbers
        ):
            raise ApiError(50438, conversation_sid=other_sid)
