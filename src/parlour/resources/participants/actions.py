"""Actions on participants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.protocol.addresses import ChannelAddress
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.in_path import in_path
from parlour.resources.participants import groups as participant_groups
from parlour.resources.participants import messaging_bindings as participant_messaging_bindings
from parlour.resources.participants import store as participant_store
from parlour.resources.participants.store import Participant
from parlour.resources.roles import store as role_store
from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.users import provisioning as user_provisioning
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.dates import updated_at
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.permissions import RoleType
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.participants.parameters import CreateParticipant, UpdateParticipant
    from parlour.store.transaction import ConflictScope, Transaction
    from parlour.vocabulary.origin import Origin
    from parlour.vocabulary.scope import Scope


participant_in_path = in_path(
    sids.PARTICIPANT,
    participant_store.find_participant,
    participant_store.find_participant_by_identity,
    code=50432,
    locks_identity=True,
)


async def create_participant(tx: Transaction, call: Call[CreateParticipant]) -> Participant:
    """Add a participant. No message is sent to it."""
    conversation = await conversation_actions.conversation_in_path(tx, call)
    change = call.parameters
    conversation_timers.require_changeable(conversation)
    return await add_participant(tx, call.scope, conversation, change)


async def add_participant(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    change: CreateParticipant,
    *,
    is_group_complete: bool = True,
) -> Participant:
    """Validate and insert a participant, with a user for its identity, and emit its event.

    While a group is not complete, the caller adds others and then calls ``require_unique_group``.
    """
    participant = await build_participant(tx, scope, conversation, change)
    await _require_capacity(tx, scope, conversation, participant, is_group_complete)
    if participant.identity is not None:
        await require_new_identity(tx, scope, conversation.sid, participant.identity)
    await save_new_participant(tx, scope, participant)
    return participant


async def save_new_participant(tx: Transaction, scope: Scope, participant: Participant) -> None:
    """Insert a participant, with a user for its identity, and emit its event."""
    if participant.identity is not None:
        await user_provisioning.ensure_user(tx, scope, participant.identity)
    await participant_store.insert_participant(tx, scope, participant)
    await tx.emit(
        scope,
        event_names.ON_PARTICIPANT_ADDED,
        conversation_sid=participant.conversation_sid,
        subject_sid=participant.sid,
        payload={"participant": participant},
    )


async def build_participant(
    tx: Transaction, scope: Scope, conversation: Conversation, change: CreateParticipant
) -> Participant:
    """Return the record of a new participant, validated but not inserted."""
    await participant_messaging_bindings.check_binding(tx, scope, conversation, change)
    address, proxy = (
        participant_messaging_bindings.address_or_none(change.address),
        participant_messaging_bindings.address_or_none(change.proxy_address),
    )
    projected = participant_messaging_bindings.address_or_none(change.projected_address)
    bound = address or projected
    level, name = participant_messaging_bindings.email_details(change, bound)
    identity = None if change.identity is UNSET else change.identity
    created = tx.now if change.date_created is UNSET else change.date_created
    participant = Participant(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid=conversation.sid,
        sid=tx.new_sid(sids.PARTICIPANT),
        sequence=tx.next_sequence(),
        identity=identity,
        attributes="{}" if change.attributes is UNSET else change.attributes,
        role_sid=None,
        binding_type=bound.type if bound else None,
        address=address.text if address else None,
        proxy_address=proxy.text if proxy else None,
        projected_address=projected.text if projected else None,
        binding_level=level,
        binding_name=name,
        holds_pair=int(address is not None and proxy is not None),
        is_open=1,
        notification_level="default",
        last_read_message_index=None,
        last_read_timestamp=None,
        date_created=created,
        date_updated=created if change.date_updated is UNSET else change.date_updated,
    )
    role_sid = change.role_sid
    if role_sid is not UNSET:
        await require_conversation_role(tx, scope, role_sid)
        return msgspec.structs.replace(participant, role_sid=role_sid)
    if identity is not None and identity == tx.origin.client_identity == conversation.created_by:
        # A client created the conversation and now joins it: it gets the creator's role.
        configuration = await service_configuration_store.get_service_configuration(tx, scope)
        role_sid = configuration.default_conversation_creator_role_sid
        return msgspec.structs.replace(participant, role_sid=role_sid)
    return await _with_default_role(tx, scope, participant)


async def _with_default_role(
    tx: Transaction, scope: Scope, participant: Participant
) -> Participant:
    """Return the participant with its role: none for group members without an identity."""
    if participant.role_sid or (participant.is_group_form and participant.identity is None):
        return participant
    configuration = await service_configuration_store.get_service_configuration(tx, scope)
    return msgspec.structs.replace(
        participant, role_sid=configuration.default_conversation_role_sid
    )


async def require_conversation_role(tx: Transaction, scope: Scope, role_sid: str) -> None:
    """Raise 50109 unless this is a conversation role of the service."""
    role = await role_store.find_role_for_assignment(tx, scope, role_sid)
    if role is None or role.type != RoleType.CONVERSATION:
        raise ApiError(50109)


async def _require_capacity(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    participant: Participant,
    is_group_complete: bool,
) -> None:
    """Raise unless the address pair is free, the group fits, and no limit is exceeded."""
    if participant.address is not None and participant.proxy_address is not None:
        await participant_messaging_bindings.require_free_address_pair(
            tx, scope, conversation.sid, participant.address, participant.proxy_address
        )
    counts = await participant_store.count_participants(tx, scope, conversation.sid)
    if participant.is_native:
        participant_groups.require_room_for_native_members(counts)
    if counts.in_group_form or participant.is_group_form:
        others = (
            await participant_store.list_all_participants(tx, scope, conversation.sid)
            if counts.total
            else []
        )
        participant_groups.check_group_rules(participant, others)
        if is_group_complete:
            after = [*others, participant]
            await participant_groups.require_unique_group(
                tx, scope, conversation.sid, others, after
            )
    if counts.total >= limits.PARTICIPANTS_PER_CONVERSATION_MAX:
        raise ApiError(50417)
    if participant.address is not None and counts.with_address >= limits.NON_CHAT_PARTICIPANTS_MAX:
        raise ApiError(50418)


async def require_new_identity(
    tx: Transaction, scope: Scope, conversation_sid: str, identity: str
) -> None:
    """Raise if the identity is in this conversation already, or in too many others."""
    if (
        await participant_store.find_participant_by_identity(tx, scope, conversation_sid, identity)
        is not None
    ):
        raise ApiError(50433)
    await tx.lock_name("identity", scope.account_sid, scope.service_sid, identity)
    most = limits.CONVERSATIONS_PER_IDENTITY_MAX
    if await participant_store.count_open_memberships(tx, scope, identity, most) >= most:
        raise ApiError(50214)


async def fetch_participant(tx: Transaction, call: Call[NoParameters]) -> Participant:
    """Return one participant, with a single lookup if both names are SIDs."""
    conversation_sid = sids.parse(sids.CONVERSATION, call.path["ConversationSid"])
    sid = sids.parse(sids.PARTICIPANT, call.path["Sid"])
    if conversation_sid is not None and sid is not None:
        found = await participant_store.find_participant_in_service(
            tx, call.scope, conversation_sid, sid
        )
        if found is not None:
            return found
    return await participant_in_path(
        tx, call, await conversation_actions.conversation_sid_in_path(tx, call)
    )


async def fetch_own_participant(tx: Transaction, call: Call[NoParameters]) -> Participant:
    """Return the participant of the calling user in a conversation."""
    conversation_sid = await conversation_actions.conversation_sid_in_path(tx, call)
    identity = call.caller.identity
    assert identity is not None
    found = await participant_store.find_participant_by_identity(
        tx, call.scope, conversation_sid, identity
    )
    assert found is not None, conversation_sid
    return found


async def list_participants(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of participants, in the order in which they were added."""
    conversation_sid = await conversation_actions.conversation_sid_in_path(tx, call)
    return Rows(
        await participant_store.list_participants(
            tx, call.scope, conversation_sid, call.page_request
        )
    )


def conflict_scope_of_update(call: Call[UpdateParticipant]) -> ConflictScope | None:
    """Return the participant as conflict scope; None if its identity or addresses change."""
    sid = sids.parse(sids.PARTICIPANT, call.path["Sid"])
    if sid is None or _rebinds(call.parameters):
        return None
    return conversation_actions.conflict_scope_in_path(call, sid)


async def update_participant(tx: Transaction, call: Call[UpdateParticipant]) -> Participant:
    """Update a participant and emit its event."""
    conversation = await conversation_actions.conversation_in_path(tx, call)
    before = await participant_in_path(tx, call, conversation.sid)
    change = call.parameters
    conversation_timers.require_changeable(conversation)
    after = _with_updated_read_horizon(before, conversation, change, tx.now)
    if change.role_sid is not UNSET:
        await require_conversation_role(tx, call.scope, change.role_sid)
    created = before.date_created if change.date_created is UNSET else change.date_created
    updated = updated_at(tx.now, created_ms=created, updated_ms=before.date_updated)
    after = msgspec.structs.replace(
        after,
        attributes=before.attributes if change.attributes is UNSET else change.attributes,
        date_created=created,
        date_updated=updated if change.date_updated is UNSET else change.date_updated,
        role_sid=before.role_sid if change.role_sid is UNSET else change.role_sid,
    )
    if _rebinds(change):
        after = await _rebound(tx, call.scope, conversation, after, change)
    return await save_updated_participant(tx, call.scope, before, after)


async def save_updated_participant(
    tx: Transaction,
    scope: Scope,
    before: Participant,
    after: Participant,
    origin: Origin | None = None,
) -> Participant:
    """Write a changed participant and emit its event. ``origin`` replaces the transaction's."""
    await participant_store.update_participant_row(tx, scope, before, after)
    payload: dict[str, object] = {
        "participant": after,
        "previous_date_updated": before.date_updated,
    }
    if after.identity != before.identity:  # The previous identity must get no more events.
        payload["previous_identity"] = before.identity
    await tx.emit(
        scope,
        event_names.ON_PARTICIPANT_UPDATED,
        conversation_sid=after.conversation_sid,
        subject_sid=after.sid,
        payload=payload,
        origin=origin,
    )
    return after


def _with_updated_read_horizon(
    before: Participant, conversation: Conversation, change: UpdateParticipant, now_ms: int
) -> Participant:
    """Return the read horizon after a change."""
    return with_read_horizon(
        before,
        conversation,
        index=change.last_read_message_index,
        timestamp=change.last_read_timestamp,
        now_ms=now_ms,
    )


def with_read_horizon(
    before: Participant, conversation: Conversation, *, index: Any, timestamp: Any, now_ms: int
) -> Participant:
    """Return the read horizon after a change; an index above the newest message is capped to it.

    A timestamp without an index changes only the timestamp; clearing the index clears both.
    """
    if index is UNSET:
        read_at = before.last_read_timestamp if timestamp is UNSET else timestamp
        return msgspec.structs.replace(before, last_read_timestamp=read_at)
    newest = conversation.next_message_index - 1
    if index is None or newest < 0:
        return msgspec.structs.replace(
            before, last_read_message_index=None, last_read_timestamp=None
        )
    return msgspec.structs.replace(
        before,
        last_read_message_index=min(index, newest),
        last_read_timestamp=now_ms if timestamp is UNSET else timestamp,
    )


def _rebinds(change: UpdateParticipant) -> bool:
    """Return whether the change touches the identity or the addresses."""
    return not (
        change.identity is UNSET
        and change.proxy_address is UNSET
        and change.projected_address is UNSET
    )


async def _rebound(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    before: Participant,
    change: UpdateParticipant,
) -> Participant:
    """Return the participant with another proxy, projected address or identity."""
    after = await _with_proxy(tx, scope, before, change)
    after = await _with_projected(tx, scope, after, change)
    after = await _with_identity(tx, scope, conversation, after, change)
    after = await _with_default_role(tx, scope, after)
    others = await participant_store.list_all_participants(tx, scope, conversation.sid)
    others = [other for other in others if other.sid != after.sid]
    is_group = after.is_group_form or any(other.is_group_form for other in others)
    if is_group and not after.is_chat:
        participant_groups.check_group_rules(after, others)
    await participant_groups.require_unique_group(
        tx, scope, conversation.sid, [*others, before], [*others, after]
    )
    return after


async def _with_proxy(
    tx: Transaction, scope: Scope, before: Participant, change: UpdateParticipant
) -> Participant:
    """Return the participant with its proxy set, changed or removed."""
    proxy = change.proxy_address
    if proxy is UNSET:
        return before
    if proxy is None:
        if before.proxy_address is None or before.binding_type != "sms":
            raise ApiError(50440)
        return msgspec.structs.replace(before, proxy_address=None, holds_pair=0)
    if before.address is None or before.binding_type is None:
        raise ApiError(50441)
    await participant_messaging_bindings.require_sender(
        tx, scope, ChannelAddress(before.binding_type, before.address), proxy
    )
    if proxy.text != before.proxy_address:
        await participant_messaging_bindings.require_free_address_pair(
            tx, scope, before.conversation_sid, before.address, proxy.text
        )
    return msgspec.structs.replace(before, proxy_address=proxy.text, holds_pair=1)


async def _with_projected(
    tx: Transaction, scope: Scope, before: Participant, change: UpdateParticipant
) -> Participant:
    """Return the chat participant with its projected address set, changed or removed."""
    projected = change.projected_address
    if projected is UNSET:
        return before
    if projected is None:
        if before.projected_address is None or before.identity is None:
            raise ApiError(50442)
        return msgspec.structs.replace(before, projected_address=None, binding_type=None)
    if before.address is not None:
        raise ApiError(50443)
    await participant_messaging_bindings.require_own_projected_address(tx, scope, projected)
    return msgspec.structs.replace(
        before, projected_address=projected.text, binding_type=projected.type
    )


async def _with_identity(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    before: Participant,
    change: UpdateParticipant,
) -> Participant:
    """Return the projected address with its identity set or removed."""
    identity = change.identity
    if identity is UNSET:
        return before
    if before.projected_address is None or (identity is None) == (before.identity is None):
        raise ApiError(50444)
    if identity is not None:
        await require_new_identity(tx, scope, conversation.sid, identity)
        await user_provisioning.ensure_user(tx, scope, identity)
    return msgspec.structs.replace(before, identity=identity)


async def delete_participant(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a participant: its messages stay, its address pair is released."""
    conversation = await conversation_actions.conversation_in_path(tx, call)
    participant = await participant_in_path(tx, call, conversation.sid)
    conversation_timers.require_changeable(conversation)
    await remove_participant(tx, call.scope, participant)


async def remove_participant(
    tx: Transaction, scope: Scope, participant: Participant, origin: Origin | None = None
) -> None:
    """Delete a participant and emit its event. ``origin`` replaces the transaction's."""
    await participant_store.delete_participant_row(
        tx, scope, participant.conversation_sid, participant.sid
    )
    await tx.emit(
        scope,
        event_names.ON_PARTICIPANT_REMOVED,
        conversation_sid=participant.conversation_sid,
        subject_sid=participant.sid,
        payload={"participant": participant},
        origin=origin,
    )
