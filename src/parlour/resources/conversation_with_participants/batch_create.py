"""Validation of several participants that are added together.

Adding a group one by one would produce smaller sets that may collide with other groups, and would
make the order of its members relevant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.participants import actions as participant_actions
from parlour.resources.participants import groups as participant_groups
from parlour.resources.participants import store as participant_store
from parlour.resources.participants.parameters import CreateParticipant
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.protocol.forms import FormFields
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.participants.store import Participant
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


async def make_participants(
    tx: Transaction, scope: Scope, conversation: Conversation, forms: list[FormFields]
) -> list[Participant]:
    """Return the records of all participants of a new conversation, validated but not inserted."""
    participants = [
        await participant_actions.build_participant(
            tx, scope, conversation, CreateParticipant.parse(form)
        )
        for form in forms
    ]
    _require_distinct(participants)
    for each in participants:
        if each.identity is not None:
            await participant_actions.require_new_identity(
                tx, scope, conversation.sid, each.identity
            )
        pair = address_pair(each)
        if (
            pair is not None
            and await participant_store.find_address_pair_owner(tx, scope, *pair) is not None
        ):
            raise ApiError(50425)
    if any(each.is_group_form for each in participants):
        await _require_group(tx, scope, conversation, participants)
    return participants


def address_pair(participant: Participant) -> tuple[str, str] | None:
    """Return the address and the proxy address of a participant that has both."""
    if participant.address is None or participant.proxy_address is None:
        return None
    return participant.address, participant.proxy_address


def _require_distinct(participants: list[Participant]) -> None:
    """Raise if an identity or a pair occurs twice, or an address is also a sender here."""
    identities = [each.identity for each in participants if each.identity is not None]
    if len(set(identities)) < len(identities):
        raise ApiError(50433)
    pairs = [pair for each in participants if (pair := address_pair(each)) is not None]
    if len(set(pairs)) < len(pairs):
        raise ApiError(50425)
    own = {each.proxy_address for each in participants} | {
        each.projected_address for each in participants
    }
    if any(each.address is not None and each.address in own for each in participants):
        raise ApiError(50407)


async def _require_group(
    tx: Transaction, scope: Scope, conversation: Conversation, participants: list[Participant]
) -> None:
    """Raise if a participant does not fit the group, or another group has the same set."""
    has_group_number = any(each.group_number is not None for each in participants)
    if not has_group_number and any(each.is_chat for each in participants):
        raise ApiError(50412)
    for position, each in enumerate(participants):
        participant_groups.check_group_rules(each, participants[:position])
    await participant_groups.require_unique_group(tx, scope, conversation.sid, [], participants)
