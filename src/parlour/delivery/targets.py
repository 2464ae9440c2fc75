"""Who is called: the webhooks that one event, or one question before an action, goes to.

At most one comes from the configurations, since a service's replaces its account's as a whole
once it has a URL. Those of the conversation come besides. For an event the settings in force when
it was committed count (``webhook_settings.py``); before an action, those of the moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import structlog

from parlour.delivery.parameters import post_parameters
from parlour.delivery.webhook_settings import (
    DEFAULT_METHOD,
    EffectiveConfiguration,
    SettingsInForce,
    current_configuration,
    names_of,
)
from parlour.resources.conversations import store as conversation_store
from parlour.resources.messages import store as message_store
from parlour.resources.scoped_webhooks.parameters import STUDIO, TRIGGER
from parlour.resources.scoped_webhooks.store import ScopedWebhook
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.origin import SDK
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.messages.store import Message
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event

log = structlog.get_logger()

_POST_ACTION: Final = frozenset(event_names.POST_ACTION)
# What no webhook of a conversation can be told.
_UNSCOPED: Final = _POST_ACTION - event_names.SCOPED_FILTERS
_FLOW_FILTERS: Final = frozenset({event_names.ON_MESSAGE_ADDED})

_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """One webhook. ``key`` names it among those of one event; a replayed message has its own.

    ``retry_count`` is how often a failed request is made again; None: as the account's schedule
    says.
    """

    key: str
    url: str
    method: str
    retry_count: int | None
    scope: Literal["account", "service", "conversation"]
    webhook_sid: str | None


async def pre_action_target(tx: Transaction, scope: Scope, event_name: str) -> WebhookTarget | None:
    """The webhook that is asked before an action, by the name of its pre-action event."""
    found = await current_configuration(tx, scope)
    return None if found is None else _configured_target(found, event_name, found.pre_webhook_url)


def _configured_target(
    found: EffectiveConfiguration, event_name: str, url: str | None
) -> WebhookTarget | None:
    """The webhook, if the configuration has a URL for it and its filters name the event."""
    if url is None or event_name not in found.filters:
        return None
    return WebhookTarget(found.key, url, found.method, None, found.scope, None)


async def targets_of(
    tx: Transaction,
    event: Event,
    studio_url: str = "",
    *,
    settings: SettingsInForce | None = None,
) -> list[WebhookTarget]:
    """The webhooks of an event: account's or service's first, then the conversation's by age.

    ``studio_url`` is where flows are started; without it those that should be are only logged.
    ``settings`` are those that were read in this transaction. Raises ``ValueError`` for an event
    of another version, of which it is not known whether webhooks are sent it.
    """
    settings = settings or SettingsInForce()
    if not event.fires or event.name in event_names.INTERNAL:
        return []
    if event.name not in _POST_ACTION:
        raise ValueError(f"this version has no event {event.name!r}")
    scope = Scope(event.account_sid, event.service_sid)
    found = await settings.configured(tx, scope, event.sequence)
    first = None
    if found is not None:
        first = _configured_target(found, event.name, found.post_webhook_url)
    targets = [] if first is None else [first]
    if event.name in _UNSCOPED:
        return targets
    for webhook in await settings.attached(tx, scope, event):
        target = _scoped_target(webhook, event, studio_url)
        if target is not None:
            targets.append(target)
    return targets


def _scoped_target(webhook: ScopedWebhook, event: Event, studio_url: str) -> WebhookTarget | None:
    """The webhook as a target of this event, if it is one."""
    if webhook.target == TRIGGER:
        if event.name != event_names.ON_MESSAGE_ADDED or not _is_triggered(webhook, event):
            return None
    elif event.name not in _filters_of(webhook):
        return None
    url = _flow_url(webhook, studio_url) if webhook.target == STUDIO else webhook.url
    if url is None:
        log.warning(
            "flow_not_started",
            account_sid=webhook.account_sid,
            conversation_sid=webhook.conversation_sid,
            webhook_sid=webhook.sid,
            flow_sid=webhook.flow_sid,
        )
        return None
    return WebhookTarget(
        key=webhook.sid,
        url=url,
        method=webhook.method or DEFAULT_METHOD,
        retry_count=webhook.retry_count,
        scope="conversation",
        webhook_sid=webhook.sid,
    )


def _filters_of(webhook: ScopedWebhook) -> frozenset[str]:
    """What it wants to hear of; a flow hears of new messages unless it says otherwise."""
    if webhook.target == STUDIO and webhook.filters is None:
        return _FLOW_FILTERS
    return names_of(webhook.filters)


def _is_triggered(webhook: ScopedWebhook, event: Event) -> bool:
    """Whether the message has one of the words in its body, in any case and within a word."""
    body = _decode(event.payload)["message"]["body"]
    if not body:
        return False
    searched = body.casefold()
    return any(word.casefold() in searched for word in names_of(webhook.triggers))


def _flow_url(webhook: ScopedWebhook, studio_url: str) -> str | None:
    """Where a flow is started; None where nothing runs flows."""
    if not studio_url:
        return None
    return f"{studio_url.rstrip('/')}/v1/Accounts/{webhook.account_sid}/Flows/{webhook.flow_sid}"


async def replays_of(
    tx: Transaction, event: Event, studio_url: str = ""
) -> list[tuple[WebhookTarget, dict[str, str]]]:
    """What a new webhook of a conversation is told of the messages that were there before it.

    In the order of their indexes, whoever wrote them and with or without the header; at most
    ``REPLAYED_MESSAGES_MAX`` messages are looked at.
    """
    payload: dict[str, Any] = _decode(event.payload)
    webhook = msgspec.convert(payload["scoped_webhook"], ScopedWebhook)
    if webhook.replay_after is None:
        return []
    scope = Scope(event.account_sid, event.service_sid)
    conversation = await conversation_store.find_conversation(tx, scope, event.conversation_sid)
    if conversation is None:
        return []
    count = limits.REPLAYED_MESSAGES_MAX
    end = payload["next_message_index"]
    found = await message_store.list_messages_between(
        tx, scope, conversation.sid, webhook.replay_after, end, count + 1
    )
    if len(found) > count:
        log.warning(
            "webhook_replay_truncated",
            webhook_sid=webhook.sid,
            first_missing=found[count].message_index,
        )
    replays = []
    for message in found[:count]:
        told = _as_message_added(message, conversation.messaging_service_sid, event)
        target = _scoped_target(webhook, told, studio_url)
        if target is not None:
            key = f"{target.key}.{message.message_index}"
            replays.append((replace(target, key=key), post_parameters(told)))
    return replays


def _as_message_added(message: Message, messaging_service_sid: str | None, event: Event) -> Event:
    """The event of a message as it would have been told."""
    payload = {"message": message, "messaging_service_sid": messaging_service_sid}
    return msgspec.structs.replace(
        event,
        name=event_names.ON_MESSAGE_ADDED,
        subject_sid=message.sid,
        source=message.source,
        client_identity=message.author if message.source == SDK else None,
        fires=True,
        payload=msgspec.json.encode(payload).decode(),
    )
