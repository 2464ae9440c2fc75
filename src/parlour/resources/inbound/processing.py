"""The transaction that processes an inbound message, and what precedes it.

`plan_message` reads the route, for the pre-action webhook, and whether the message is a copy.
`process_message` executes the decision: it adds the message, creates the conversation, or records
why it is dropped, and finishes the row of the inbox. The route is read again in it; if it changed
since the pre-action webhook was called, nothing is written and the caller plans again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from parlour.protocol.addresses import EMAIL
from parlour.resources.accounts import store as account_store
from parlour.resources.accounts.actions import ACTIVE
from parlour.resources.configuration import store as configuration_store
from parlour.resources.conversations.parameters import CreateConversation
from parlour.resources.inbound import auto_creation as inbound_auto_creation
from parlour.resources.inbound import keywords as inbound_keywords
from parlour.resources.inbound import messages as inbound_messages
from parlour.resources.inbound import routing as inbound_routing
from parlour.resources.inbound import store as inbound_store
from parlour.resources.inbox import store as inbox_store
from parlour.resources.inbox.message import decode_message
from parlour.resources.messages.parameters import CreateMessage
from parlour.vocabulary import limits
from parlour.vocabulary.dates import updated
from parlour.vocabulary.scope import Scope
from parlour.vocabulary.unset import given_or

if TYPE_CHECKING:
    from parlour.protocol.forms import FormFields
    from parlour.resources.carrier_numbers.store import CarrierNumber
    from parlour.resources.inbound.keywords import Keyword
    from parlour.resources.inbound.routing import InboundRoute
    from parlour.resources.inbox.message import InboxMessage
    from parlour.resources.inbox.store import InboundKey, InboxEntry
    from parlour.store.transaction import Transaction

# The outcomes of a message, in the order in which they are decided. A stop word counts as
# opted_out wherever the message goes.
#
# | route | plain webhook | outcome |
# |---|---|---|
# | a copy of a group message | not called | as of the first copy |
# | open conversation | called with also_plain_webhook | conversation |
# | auto-creation | called with also_plain_webhook | auto_created |
# | none, rejected or invalid | called, if the route is none | plain_webhook, or dropped |
# | initializing | - | none yet: tried again, dropped after INITIALIZING_WAIT_MS |
Outcome = Literal["conversation", "auto_created", "plain_webhook", "opted_out", "dropped"]

_STOP: Final = "stop"


class Plan(msgspec.Struct, frozen=True):
    """The route of a message before its pre-action webhook; ``original``: it is a copy of it."""

    route: InboundRoute
    original: InboxEntry | None = None


class HookDecision(msgspec.Struct, frozen=True):
    """What the pre-action webhook decided for a plan.

    ``amendments`` replace parameters of the message, or the friendly name of the conversation.
    ``rejection`` is the reason why the message is dropped.
    """

    plan: Plan
    amendments: FormFields = {}
    rejection: str | None = None


class _Result(msgspec.Struct, frozen=True):
    """The outcome of a message, and what it became. ``keeps_content``: in the row of the inbox."""

    outcome: Outcome
    reason: str | None = None
    conversation_sid: str | None = None
    message_sid: str | None = None
    participant_sid: str | None = None
    keeps_content: bool = False


async def plan_message(
    tx: Transaction, entry: InboxEntry, message: InboxMessage, number: CarrierNumber | None
) -> Plan:
    """Return the route of a message, or the earlier message that it is a copy of."""
    account = Scope(entry.account_sid)
    route = await inbound_routing.find_route(tx, account, message, number)
    return Plan(route, await _find_original(tx, account, entry, message, route))


async def _find_original(
    tx: Transaction, account: Scope, entry: InboxEntry, message: InboxMessage, route: InboundRoute
) -> InboxEntry | None:
    """Return the message of which this one is a copy for another own number.

    The n-th copy at one receiver belongs to the n-th message: a sender may repeat a text. A replay
    comes after copies that were accepted later than the message.
    """
    if entry.fold_key is None:
        return None
    created, apart = entry.date_created, limits.GROUP_COPIES_MS
    dates = (created - apart, created + apart)
    earlier = await inbox_store.list_earlier_copies(tx, account, entry, dates)
    # A message that was given up is in no conversation: the next copy is added in its place, and
    # its replay is a copy.
    originals = [each for each in earlier if not each.is_copy and not each.is_given_up]
    if message.channel == EMAIL:
        # Mails to several own addresses are one message only in one conversation.
        same = [each for each in originals if each.conversation_sid == route.conversation_sid]
        return same[0] if same and route.kind == "conversation" else None
    received = sum(each.receiver == entry.receiver for each in earlier)
    return originals[received] if received < len(originals) else None


async def scope_of(tx: Transaction, route: InboundRoute) -> Scope:
    """Return the service whose webhooks a route concerns."""
    if route.rules is None:
        return route.scope
    return await inbound_auto_creation.service_of(tx, route.scope, route.rules)


async def process_message(
    tx: Transaction,
    key: InboundKey,
    message: InboxMessage,
    number: CarrierNumber | None,
    decision: HookDecision,
) -> InboxEntry | None:
    """Process a pending message; return its row, or None if its route changed since the plan.

    Raises ApiError for a message that its conversation cannot take.
    """
    account = Scope(key.account_sid)
    entry = await inbox_store.lock_entry(tx, account, key.carrier, key.provider_id)
    assert entry is not None, key
    if entry.state != inbox_store.PENDING:
        return entry  # Another node processed it after the claim of this one had ended.
    if decision.plan.original is not None:
        await _apply_keyword(tx, account, entry, message, number)
        return await _finish_copy(tx, account, entry, decision.plan.original)
    route = await inbound_routing.find_route(tx, account, message, number)
    if decision.rejection is None and route.identity != decision.plan.route.identity:
        return None
    if route.kind == "initializing" and decision.rejection is None:
        waited_ms = tx.now - (entry.date_replayed or entry.date_created)
        if waited_ms < limits.INITIALIZING_WAIT_MS:
            return await defer(tx, entry, tx.now + limits.INITIALIZING_RETRY_MS)
    result = await _place(tx, account, message, number, decision=decision, route=route)
    return await _finish(tx, account, entry, message, number, result)


async def _place(
    tx: Transaction,
    account: Scope,
    message: InboxMessage,
    number: CarrierNumber | None,
    *,
    decision: HookDecision,
    route: InboundRoute,
) -> _Result:
    """Put the message where it belongs; return the outcome."""
    if decision.rejection is not None:
        return _Result("dropped", decision.rejection)
    if not await _is_active(tx, account):
        return _Result("dropped", f"the account {account.account_sid} is not active")
    if route.kind == "initializing":
        seconds = limits.INITIALIZING_WAIT_MS // 1000
        reason = f"conversation {route.conversation_sid} was still initializing after {seconds} s"
        return _Result("dropped", reason, route.conversation_sid)
    if route.kind == "none":
        if number is not None and number.incoming_url is not None:
            return _Result("plain_webhook", route.reason)
        return _Result("dropped", route.reason)
    if route.conversation is not None:
        media = await inbound_messages.adopt_media(tx, route.scope, message)
        change = inbound_messages.parameters(message, media)
        amended = CreateMessage.parse(decision.amendments).given()
        created = await inbound_messages.add_message(
            tx, route.scope, route.conversation, message, replace(change, **amended)
        )
        outcome: Outcome = "conversation"
    else:
        names = decision.amendments.get("FriendlyName", [])
        named = CreateConversation.parse({"FriendlyName": names} if names else {})
        created = await inbound_auto_creation.create_conversation(
            tx, route, message, number, friendly_name=given_or(named.friendly_name, None)
        )
        outcome = "auto_created"
    return _Result(outcome, None, created.conversation_sid, created.sid, created.participant_sid)


async def _is_active(tx: Transaction, account: Scope) -> bool:
    found = await account_store.find_account(tx, account)
    return found is not None and found.status == ACTIVE


async def drop_message(
    tx: Transaction,
    key: InboundKey,
    message: InboxMessage,
    number: CarrierNumber | None,
    reason: str,
    *,
    keeps_content: bool,
) -> InboxEntry:
    """Finish a pending message that no conversation can take; return its row."""
    account = Scope(key.account_sid)
    entry = await inbox_store.lock_entry(tx, account, key.carrier, key.provider_id)
    assert entry is not None, key
    if entry.state != inbox_store.PENDING:
        return entry
    result = _Result("dropped", reason, keeps_content=keeps_content)
    return await _finish(tx, account, entry, message, number, result)


# tidy: event-for-change - the message is in no conversation
async def give_up_message(tx: Transaction, key: InboundKey, reason: str) -> InboxEntry:
    """Drop a pending message without reading its content, which its row keeps."""
    account = Scope(key.account_sid)
    entry = await inbox_store.lock_entry(tx, account, key.carrier, key.provider_id)
    assert entry is not None, key
    if entry.state != inbox_store.PENDING:
        return entry
    done = {"state": inbox_store.DONE, "due_ms": None, "attempts": 0}
    after = updated(entry, tx.now, outcome="dropped", reason=reason, **done)
    await inbox_store.update_entry(tx, account, entry, after)
    return after


# tidy: event-for-change - the events of the message were emitted before
async def _finish(
    tx: Transaction,
    account: Scope,
    entry: InboxEntry,
    message: InboxMessage,
    number: CarrierNumber | None,
    result: _Result,
) -> InboxEntry:
    """Apply what each message causes, wherever it goes, and write the outcome."""
    keyword = await _apply_keyword(tx, account, entry, message, number)
    outcome = "opted_out" if keyword == _STOP else result.outcome
    calls_webhook = result.outcome == "plain_webhook" or (
        number is not None
        and number.also_plain_webhook
        and number.incoming_url is not None
        and result.outcome != "dropped"
    )
    if result.outcome == "plain_webhook":
        configuration = await configuration_store.get_configuration(tx, account)
        default = Scope(account.account_sid, configuration.default_chat_service_sid)
        await inbound_messages.adopt_media(tx, default, message)
    if result.keeps_content:
        until_ms = tx.now + limits.INBOX_RETENTION_HOURS * 3_600_000
        for sid in message.media_sids:
            await inbound_store.postpone_expiry(tx, account, sid, until_ms)
    after = updated(
        entry,
        tx.now,
        state=inbox_store.WEBHOOK if calls_webhook else inbox_store.DONE,
        content=entry.content if calls_webhook or result.keeps_content else None,
        due_ms=tx.now + limits.INBOX_CLAIM_MS if calls_webhook else None,
        attempts=0,
        outcome=outcome,
        reason=result.reason,
        conversation_sid=result.conversation_sid,
        message_sid=result.message_sid,
        participant_sid=result.participant_sid,
        is_keyword_applied=1,
    )
    await inbox_store.update_entry(tx, account, entry, after)
    return after


async def _apply_keyword(
    tx: Transaction,
    account: Scope,
    entry: InboxEntry,
    message: InboxMessage,
    number: CarrierNumber | None,
) -> Keyword | None:
    """Return the kind of the opt-out word in a message; a replay does not apply it again.

    Its sender may have changed the state since, and has the reply.
    """
    if entry.is_keyword_applied:
        return inbound_keywords.find_keyword(message, number)
    return await inbound_keywords.handle_keyword(tx, account, message, number)


async def _finish_copy(
    tx: Transaction, account: Scope, entry: InboxEntry, original: InboxEntry
) -> InboxEntry:
    """Finish a copy with the outcome of the first one."""
    after = updated(
        entry,
        tx.now,
        state=inbox_store.DONE,
        content=None,
        due_ms=None,
        is_copy=1,
        outcome=original.outcome,
        reason=original.reason or f"a copy of the message that {original.receiver} received",
        conversation_sid=original.conversation_sid,
        message_sid=original.message_sid,
        participant_sid=original.participant_sid,
    )
    await inbox_store.update_entry(tx, account, entry, after)
    return after


async def defer(
    tx: Transaction, entry: InboxEntry, due_ms: int, *, attempts: int = 0
) -> InboxEntry:
    """Set the time of the next attempt, after so many more failed ones; return the row."""
    after = updated(entry, tx.now, due_ms=due_ms, attempts=entry.attempts + attempts)
    await inbox_store.update_entry(tx, Scope(entry.account_sid), entry, after)
    return after


def message_of(entry: InboxEntry) -> InboxMessage:
    """Return the content of a row that is not done."""
    assert entry.content is not None, entry.key
    return decode_message(entry.content)
