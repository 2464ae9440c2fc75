"""The route of an inbound message: an open conversation, auto-creation, or none.

| message | conversation |
|---|---|
| to several receivers | the open one whose set of numbers equals all senders and receivers |
| e-mail | the open one that its tag names, else its references; else the last one of the sender |
| any other | the open one with the pair of sender and receiver, else the group of just these two |

Without one, the address configurations of the own numbers decide, then the settings of the
receiver. A conversation is open unless it is closed; one that is initializing takes the message
once it is active.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from parlour.protocol.addresses import EMAIL
from parlour.resources.address_configurations import store as address_configuration_store
from parlour.resources.address_configurations.store import AutoCreation
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.inbound import store as inbound_store
from parlour.resources.participants import groups as participant_groups
from parlour.resources.participants import store as participant_store
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.carrier_numbers.store import CarrierNumber
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.inbox.message import InboxMessage
    from parlour.store.transaction import Transaction


class InboundRoute(msgspec.Struct, frozen=True):
    """Where a message goes.

    ``conversation`` is set for the kind conversation, ``conversation_sid`` also for initializing;
    ``rules`` for auto_creation, with the own numbers of a group. ``reason`` is for the kind none.
    """

    kind: Literal["conversation", "initializing", "auto_creation", "none"]
    scope: Scope
    conversation: Conversation | None = None
    conversation_sid: str | None = None
    rules: AutoCreation | None = None
    own_numbers: tuple[str, ...] = ()
    reason: str = ""

    @property
    def identity(self) -> tuple[str, str | None]:
        """What a pre-action webhook was called for: the kind, and the conversation."""
        return self.kind, self.conversation_sid


async def find_route(
    tx: Transaction, account: Scope, message: InboxMessage, number: CarrierNumber | None
) -> InboundRoute:
    """Return the route of a message; ``number`` is the receiver's row in the table of numbers."""
    if message.channel == EMAIL:
        found = await _find_mail_thread(tx, account, message)
    elif message.group:
        found = await _find_group(tx, account, message)
    else:
        found = await _find_pair(tx, account, message) or await _find_group(tx, account, message)
    return found or await _creation_route(tx, account, message, number)


# --- Open conversations -------------------------------------------------------------------


async def _find_pair(tx: Transaction, account: Scope, message: InboxMessage) -> InboundRoute | None:
    """Return the conversation of the pair (sender, receiver)."""
    pair = (message.sender, message.receiver)
    participant = await inbound_store.find_pair(tx, account, *pair)
    if participant is None:
        reserved_sid = await inbound_store.find_reservation(tx, account, *pair)
        return _initializing(account, reserved_sid)
    return await _open(tx, account, participant.service_sid, participant.conversation_sid)


async def _find_group(
    tx: Transaction, account: Scope, message: InboxMessage
) -> InboundRoute | None:
    """Return the group whose set of numbers equals the message's."""
    numbers = message.numbers
    reserved_sid = await participant_store.find_group_reservation(tx, account, numbers)
    if reserved_sid is not None:
        return _initializing(account, reserved_sid)
    for sid in await participant_store.find_groups_by_numbers(
        tx, account, numbers, message.sender, ""
    ):
        members = await participant_store.list_all_participants(tx, account, sid)
        if participant_groups.group_numbers(members) != numbers:
            continue
        found = await _open(tx, account, members[0].service_sid, sid)
        if found is not None:
            return found
    return None


async def _find_mail_thread(
    tx: Transaction, account: Scope, message: InboxMessage
) -> InboundRoute | None:
    """Return the conversation of a mail."""
    assert message.email is not None
    for sid in message.email.conversation_sids:
        service_sid = await inbound_store.find_service_of(tx, account, sid)
        found = None if service_sid is None else await _open(tx, account, service_sid, sid)
        if found is not None:
            return found
    last: InboundRoute | None = None
    for each in await inbound_store.list_open_participants(tx, account, message.sender):
        route = await _open(tx, account, each.service_sid, each.conversation_sid)
        if route is None or route.conversation is None:
            continue
        projected = (route.conversation.email_address or "").lower()
        if projected == message.receiver.lower() and _is_later(route, last):
            last = route
    return last


def _is_later(route: InboundRoute, last: InboundRoute | None) -> bool:
    assert route.conversation is not None
    if last is None or last.conversation is None:
        return True
    return route.conversation.last_activity > last.conversation.last_activity


def _initializing(account: Scope, conversation_sid: str | None) -> InboundRoute | None:
    if conversation_sid is None:
        return None
    return InboundRoute("initializing", account, conversation_sid=conversation_sid)


async def _open(
    tx: Transaction, account: Scope, service_sid: str, conversation_sid: str
) -> InboundRoute | None:
    """Return the route to a conversation, which is locked; None if it is closed or deleted."""
    scope = Scope(account.account_sid, service_sid)
    conversation = await conversation_store.find_conversation(tx, scope, conversation_sid)
    if conversation is None or conversation.state == conversation_timers.CLOSED:
        return None
    if conversation.state == conversation_timers.INITIALIZING:
        return InboundRoute("initializing", scope, conversation_sid=conversation_sid)
    return InboundRoute("conversation", scope, conversation, conversation_sid)


# --- Auto-creation ------------------------------------------------------------------------


async def _creation_route(
    tx: Transaction, account: Scope, message: InboxMessage, number: CarrierNumber | None
) -> InboundRoute:
    """Return the rules that create a conversation, or the reason why none does.

    Of several own numbers in a group, one with auto-creation is enough.
    """
    own_numbers = await _own_numbers(tx, account, message)
    configured = []
    for each in own_numbers:
        found = await address_configuration_store.find_address_configuration_by_address(
            tx, account, each
        )
        if found is not None and found.creation.enabled:
            return _creation(account, found.creation, own_numbers)
        if found is not None:
            configured.append(each)
    if number is not None and number.auto_creation is not None:
        service_sid = number.auto_creation.conversation_service_sid
        rules = AutoCreation(enabled=True, conversation_service_sid=service_sid)
        return _creation(account, rules, own_numbers)
    return InboundRoute("none", account, reason=_reason(message, own_numbers, configured))


def _creation(account: Scope, rules: AutoCreation, own_numbers: tuple[str, ...]) -> InboundRoute:
    return InboundRoute("auto_creation", account, rules=rules, own_numbers=own_numbers)


async def _own_numbers(tx: Transaction, account: Scope, message: InboxMessage) -> tuple[str, ...]:
    """Return the receiver, and the other receivers that belong to the account."""
    others = [each for each in sorted(message.group) if await _is_own(tx, account, each)]
    return (message.receiver, *others)


async def _is_own(tx: Transaction, account: Scope, address: str) -> bool:
    number = await carrier_number_store.find_number(tx, address)
    if number is not None:
        return number.account_sid == account.account_sid
    configuration = await address_configuration_store.find_address_configuration_by_address(
        tx, account, address
    )
    return configuration is not None or await participant_store.is_own_number(tx, account, address)


def _reason(message: InboxMessage, own_numbers: tuple[str, ...], configured: list[str]) -> str:
    """Return in words why no conversation takes the message."""
    if message.group:
        numbers = ", ".join(sorted(message.numbers))
        missing = f"no open conversation has exactly the numbers {numbers}"
    else:
        missing = f"no open conversation has {message.sender} with {message.receiver}"
    if configured:
        which = ", ".join(configured)
        return f"{missing}, and the address configuration of {which} has auto-creation off"
    verb = "has" if len(own_numbers) == 1 else "have"
    return f"{missing}, and {', '.join(own_numbers)} {verb} no address configuration"
