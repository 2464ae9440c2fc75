"""Exports conversations with participants, messages, receipts and webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from parlour.protocol.timestamps import format_date
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.conversations.actions import CREATED_BY_API
from parlour.resources.conversations.store import Conversation
from parlour.resources.messages.fan_out import SYSTEM_AUTHOR
from parlour.resources.messages.receipt_store import Receipt
from parlour.resources.messages.store import Message
from parlour.resources.participants.store import Participant
from parlour.resources.scoped_webhooks.actions import METHOD_DEFAULT
from parlour.resources.scoped_webhooks.parameters import WEBHOOK
from parlour.resources.scoped_webhooks.store import ScopedWebhook
from parlour.testmode.seeds.exporting import dates_of
from parlour.testmode.seeds.text import json_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parlour.testmode.seeds.exporting import Exporting

T = TypeVar("T")
_NAMES = msgspec.json.Decoder(list[str])


async def export_conversations(exporting: Exporting) -> list[dict[str, Any]]:
    """Return all conversations of the account, in the order of their creation."""
    conversations = await exporting.rows(Conversation)
    by_conversation = _grouped_by(lambda row: row.conversation_sid)
    participants = by_conversation(await exporting.rows(Participant))
    messages = by_conversation(await exporting.rows(Message))
    webhooks = by_conversation(await exporting.rows(ScopedWebhook))
    receipts = _grouped_by(lambda row: row.message_sid)(await exporting.rows(Receipt))
    return [
        _conversation(
            exporting,
            each,
            participants.get(each.sid, []),
            messages.get(each.sid, []),
            webhooks.get(each.sid, []),
            receipts,
        )
        for each in conversations
    ]


def _grouped_by(key: Callable[[Any], str]) -> Callable[[Iterable[T]], dict[str, list[T]]]:
    def group(rows: Iterable[T]) -> dict[str, list[T]]:
        groups: dict[str, list[T]] = {}
        for row in rows:
            groups.setdefault(key(row), []).append(row)
        return groups

    return group


def _conversation(
    exporting: Exporting,
    conversation: Conversation,
    participants: list[Participant],
    messages: list[Message],
    webhooks: list[ScopedWebhook],
    receipts: dict[str, list[Receipt]],
) -> dict[str, Any]:
    configuration = exporting.configuration
    is_active = conversation.state in {
        conversation_timers.ACTIVE,
        conversation_timers.INITIALIZING,
    }
    next_index = messages[-1].message_index + 1 if messages else 0
    messaging_sid = conversation.messaging_service_sid
    creator = conversation.created_by
    names = _references(participants)
    return {
        "sid": exporting.shown_sid(conversation.sid),
        "service": exporting.service_reference(conversation.service_sid),
        "friendly_name": conversation.friendly_name,
        "unique_name": conversation.unique_name,
        "attributes": _attributes(conversation.attributes),
        "state": None if is_active else conversation.state,
        "messaging_service_sid": (
            None if messaging_sid == configuration.default_messaging_service_sid else messaging_sid
        ),
        "created_by": None if creator == CREATED_BY_API else creator,
        "next_message_index": (
            None
            if conversation.next_message_index == next_index
            else conversation.next_message_index
        ),
        "timers": _timers(exporting, conversation),
        "bindings": {
            "email": {"address": conversation.email_address, "name": conversation.email_name}
        },
        **dates_of(conversation),
        "webhooks": [_webhook(exporting, each) for each in webhooks],
        "participants": [
            _participant(exporting, each, key)
            for each, key in zip(participants, _keys(participants), strict=True)
        ],
        "messages": [
            _message(exporting, each, expected, names, receipts.get(each.sid, []))
            for each, expected in zip(messages, _expected_indexes(messages), strict=True)
        ],
    }


def _attributes(text: str) -> Any:
    return None if text == "{}" else json_value(text)


def _timers(exporting: Exporting, conversation: Conversation) -> dict[str, Any]:
    configuration = exporting.configuration

    def duration(seconds: int | None, default: str | None) -> str | None:
        if seconds is None and default is None:
            return None
        return f"PT{seconds or 0}S"

    def date(ms: int | None) -> str | None:
        return None if ms is None else format_date(ms)

    return {
        "inactive": duration(
            conversation.inactive_timer_seconds, configuration.default_inactive_timer
        ),
        "closed": duration(conversation.closed_timer_seconds, configuration.default_closed_timer),
        "date_inactive": date(conversation.date_inactive),
        "date_closed": date(conversation.date_closed),
    }


# --- Participants ---------------------------------------------------------------------------


def _keys(participants: list[Participant]) -> list[str | None]:
    """Return a key for each participant whose address is not unique; an identity always is."""
    addresses = [each.address for each in participants]
    identities = {each.identity for each in participants}
    names = identities | set(addresses)
    keys: list[str | None] = []
    for number, each in enumerate(participants, 1):
        is_unique = each.address is None or (
            addresses.count(each.address) == 1 and each.address not in identities
        )
        key = f"participant{number}"
        # No identity may have the key's name: references prefer keys.
        while not is_unique and key in names:
            key += "_"
        keys.append(None if is_unique else key)
    return keys


def _references(participants: list[Participant]) -> dict[str, str]:
    """Return the reference to each participant, by SID."""
    return {
        each.sid: key or each.identity or each.address or ""
        for each, key in zip(participants, _keys(participants), strict=True)
    }


def _participant(exporting: Exporting, each: Participant, key: str | None) -> dict[str, Any]:
    read_ms = each.last_read_timestamp
    return {
        "key": key,
        "sid": exporting.shown_sid(each.sid),
        "identity": each.identity,
        "address": each.address,
        "proxy_address": each.proxy_address,
        "projected_address": each.projected_address,
        "level": None if each.binding_level == "to" else each.binding_level,
        "name": each.binding_name,
        "attributes": _attributes(each.attributes),
        "role": exporting.role_reference(
            each.role_sid, each.service_sid, "default_conversation_role_sid"
        ),
        "last_read_message_index": each.last_read_message_index,
        "last_read_timestamp": None if read_ms is None else format_date(read_ms),
        "notification_level": (
            None if each.notification_level == "default" else each.notification_level
        ),
        **dates_of(each),
    }


# --- Messages -------------------------------------------------------------------------------


def _expected_indexes(messages: list[Message]) -> list[int]:
    """Return the index that each message has if none before it was deleted."""
    return [0, *(each.message_index + 1 for each in messages[:-1])] if messages else []


def _message(
    exporting: Exporting,
    message: Message,
    expected_index: int,
    names: dict[str, str],
    receipts: list[Receipt],
) -> dict[str, Any]:
    return {
        "sid": exporting.shown_sid(message.sid),
        "author": None if message.author == SYSTEM_AUTHOR else message.author,
        "body": message.body,
        "subject": message.subject,
        "attributes": _attributes(message.attributes),
        "index": None if message.message_index == expected_index else message.message_index,
        "source": message.source,
        "last_updated_by": message.last_updated_by,
        **dates_of(message),
        "receipts": [
            _receipt(exporting, each, names[each.participant_sid])
            for each in receipts
            if each.is_visible and names.get(each.participant_sid)
        ],
    }


def _receipt(exporting: Exporting, receipt: Receipt, name: str) -> dict[str, Any]:
    return {
        "sid": exporting.shown_sid(receipt.sid),
        "participant": name,
        "status": receipt.status,
        "error_code": receipt.error_code or None,
        "channel_message_sid": receipt.channel_message_sid if exporting.with_sids else None,
        **dates_of(receipt),
    }


# --- Webhooks -------------------------------------------------------------------------------


def _webhook(exporting: Exporting, webhook: ScopedWebhook) -> dict[str, Any]:
    def names(text: str | None) -> list[str] | None:
        return None if text is None else _NAMES.decode(text)

    return {
        "sid": exporting.shown_sid(webhook.sid),
        "target": None if webhook.target == WEBHOOK else webhook.target,
        "url": webhook.url,
        "method": None if webhook.method == METHOD_DEFAULT else webhook.method,
        "filters": names(webhook.filters),
        "triggers": names(webhook.triggers),
        "flow_sid": webhook.flow_sid,
        "replay_after": webhook.replay_after,
        **dates_of(webhook),
    }
