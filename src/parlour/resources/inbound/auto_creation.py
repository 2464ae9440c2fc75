"""Auto-creation: the conversation that the first message of an unknown sender creates.

The order of the events, in one transaction:

| step | 1:1 and e-mail | group |
|---|---|---|
| 1 | onConversationAdded, state active | onConversationAdded, state initializing |
| 2 | scoped webhook of the address configuration | the same |
| 3 | onParticipantAdded of the sender | onParticipantAdded of each number |
| 4 | onMessageAdded, index 0 | the same |
| 5 | - | onConversationStateUpdated, active by EVENT |

The scoped webhook is inserted before step 1, so that it gets the events of steps 3 to 5. Own
numbers of a group become projected addresses without an identity, all others are members.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.operations import scoping
from parlour.protocol.addresses import EMAIL, ChannelAddress
from parlour.resources.configuration import store as configuration_store
from parlour.resources.conversation_with_participants import (
    batch_create as conversation_with_participants_batch_create,
)
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.conversations.parameters import CreateConversation
from parlour.resources.inbound import messages as inbound_messages
from parlour.resources.media import attachments as media_attachments
from parlour.resources.participants import actions as participant_actions
from parlour.resources.participants.parameters import CreateParticipant
from parlour.resources.scoped_webhooks import actions as scoped_webhook_actions
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.scope import Scope
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.resources.address_configurations.store import AutoCreation
    from parlour.resources.carrier_numbers.store import CarrierNumber
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.inbound.routing import InboundRoute
    from parlour.resources.inbox.message import InboxMessage
    from parlour.resources.media.store import Media
    from parlour.resources.messages.store import Message
    from parlour.store.transaction import Transaction

_WEBHOOK: Final = "webhook"
_STUDIO: Final = "studio"


async def create_conversation(
    tx: Transaction,
    route: InboundRoute,
    message: InboxMessage,
    number: CarrierNumber | None,
    *,
    friendly_name: str | None,
) -> Message:
    """Create the conversation of a message; return the message in it.

    ``friendly_name`` is the one that the pre-action webhook set. Raises ApiError if the addresses
    do not go together, or if another conversation has them.
    """
    assert route.rules is not None
    scope = await service_of(tx, route.scope, route.rules)
    media = await inbound_messages.adopt_media(tx, scope, message)
    conversation = await _insert_conversation(
        tx, scope, route.rules, message, media, number=number, friendly_name=friendly_name
    )
    if message.group:
        await _add_group(tx, scope, conversation, message, route.own_numbers)
    else:
        await participant_actions.add_participant(
            tx, scope, conversation, _sender_parameters(message)
        )
    change = inbound_messages.parameters(message, media)
    created = await inbound_messages.add_message(tx, scope, conversation, message, change)
    if message.group:
        await _activate(tx, scope, conversation.sid)
    return created


async def service_of(tx: Transaction, account: Scope, rules: AutoCreation) -> Scope:
    """Return the service of the new conversation: by the rules, or else the default service."""
    service_sid = rules.conversation_service_sid
    if service_sid is None or not await scoping.service_is_in_account(tx, account, service_sid):
        configuration = await configuration_store.get_configuration(tx, account)
        service_sid = configuration.default_chat_service_sid
    return Scope(account.account_sid, service_sid)


async def _insert_conversation(
    tx: Transaction,
    scope: Scope,
    rules: AutoCreation,
    message: InboxMessage,
    media: list[Media],
    *,
    number: CarrierNumber | None,
    friendly_name: str | None,
) -> Conversation:
    """Insert the conversation and its scoped webhook, and emit its event."""
    service_sid = None if number is None else number.messaging_service_sid
    conversation = await conversation_actions.build_conversation(
        tx,
        scope,
        CreateConversation(
            friendly_name=UNSET if friendly_name is None else friendly_name,
            messaging_service_sid=UNSET if service_sid is None else service_sid,
            bindings_email_address=message.receiver if message.channel == EMAIL else UNSET,
        ),
    )
    if message.group:
        conversation = msgspec.structs.replace(
            conversation,
            state=conversation_timers.INITIALIZING,
            date_inactive=None,
            date_closed=None,
        )
    await conversation_store.insert_conversation(tx, scope, conversation)
    await _attach_webhook(tx, scope, conversation, rules)
    await tx.emit(
        scope,
        event_names.ON_CONVERSATION_ADDED,
        conversation_sid=conversation.sid,
        subject_sid=conversation.sid,
        payload={"conversation": conversation, "inbound": _inbound(message, media)},
    )
    return conversation


def _inbound(message: InboxMessage, media: list[Media]) -> dict[str, Any]:
    """Return the parameters of webhooks about the message that created a conversation."""
    shown: dict[str, Any] = {
        "body": message.body,
        "media": media_attachments.attachments_json(media),
        "channel_metadata": inbound_messages.metadata_json(message),
    }
    if message.group:
        receivers = sorted(message.numbers - {message.sender})
        return shown | {"address": receivers, "author_address": message.sender}
    own = "projected_address" if message.channel == EMAIL else "proxy_address"
    return shown | {"address": message.sender, own: message.receiver}


async def _attach_webhook(
    tx: Transaction, scope: Scope, conversation: Conversation, rules: AutoCreation
) -> None:
    """Insert the scoped webhook of the address configuration, if it has one."""
    if rules.type not in {_WEBHOOK, _STUDIO}:
        return
    made = scoped_webhook_actions.new_scoped_webhook(tx, scope, conversation.sid, rules.type)
    if rules.type == _WEBHOOK:
        made = msgspec.structs.replace(
            made,
            url=rules.webhook_url,
            method=rules.webhook_method or scoped_webhook_actions.METHOD_DEFAULT,
            filters=_encoded(rules.webhook_filters or []),
        )
    else:
        made = msgspec.structs.replace(
            made, flow_sid=rules.studio_flow_sid, retry_count=rules.studio_retry_count
        )
    await scoped_webhook_actions.save_new_scoped_webhook(tx, scope, conversation, made)


def _encoded(filters: list[str]) -> str:
    return msgspec.json.encode(filters).decode()


# --- Participants -------------------------------------------------------------------------


def _sender_parameters(message: InboxMessage) -> CreateParticipant:
    """Return the parameters of the sender's participant."""
    address = ChannelAddress(message.channel, message.sender)
    if message.email is None:
        proxy = ChannelAddress(message.channel, message.receiver)
        return CreateParticipant(address=address, proxy_address=proxy)
    name = (message.email.sender_name or "")[: limits.FRIENDLY_NAME_CHARS_MAX]
    return CreateParticipant(address=address, level="to", name=name or UNSET)


async def _add_group(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    message: InboxMessage,
    own_numbers: tuple[str, ...],
) -> None:
    """Add the own numbers, then the members. All are validated together."""
    members = sorted(message.numbers.difference(own_numbers))
    forms = [{"MessagingBinding.ProjectedAddress": [each]} for each in own_numbers]
    forms += [{"MessagingBinding.Address": [each]} for each in members]
    for each in await conversation_with_participants_batch_create.make_participants(
        tx, scope, conversation, forms
    ):
        await participant_actions.save_new_participant(tx, scope, each)


async def _activate(tx: Transaction, scope: Scope, conversation_sid: str) -> None:
    """Make the transition of a complete group from initializing to active."""
    before = await conversation_store.find_conversation(tx, scope, conversation_sid)
    assert before is not None
    after = conversation_timers.with_restarted_timers(
        msgspec.structs.replace(before, state=conversation_timers.ACTIVE), tx.now
    )
    await conversation_store.update_conversation_row(tx, scope, after)
    await conversation_timers.emit_state_changed(
        tx, scope, after, conversation_timers.INITIALIZING, conversation_timers.BY_EVENT
    )
