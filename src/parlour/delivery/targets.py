"""Who is called: the webhooks that one event, or one question before an action, goes to.

At most one comes from the configurations, since a service's replaces its account's as a whole
once it has a URL. Those of the conversation come besides. Configurations count as they are at the
moment of reading, with two exceptions that follow the log: a webhook of a conversation hears
nothing that was committed before it was attached (but for what it asks to have replayed), and what
was committed before a conversation was removed goes to the webhooks that it had then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import structlog

from parlour.delivery.parameters import post_parameters
from parlour.resources.conversations import store as conversations
from parlour.resources.messages import store as messages
from parlour.resources.scoped_webhooks import store as scoped_webhooks
from parlour.resources.scoped_webhooks.parameters import STUDIO, TRIGGER
from parlour.resources.scoped_webhooks.store import ScopedWebhook
from parlour.resources.service_webhook_configuration import store as service_configurations
from parlour.resources.webhook_configuration import store as account_configurations
from parlour.store import events as event_log
from parlour.vocabulary import events, limits
from parlour.vocabulary.origin import SDK
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.messages.store import Message
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.events import Event

log = structlog.get_logger()

_FLEX: Final = "flex"
_METHOD: Final = "POST"
_POST_ACTION: Final = frozenset(events.POST_ACTION)
# What no webhook of a conversation can be told.
_UNSCOPED: Final = _POST_ACTION - events.SCOPED_FILTERS
_FLOW_FILTERS: Final = frozenset({events.ON_MESSAGE_ADDED})

_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Target:
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


class _Configured(msgspec.Struct, frozen=True):
    """The configuration that counts in a service, wherever it comes from."""

    key: str
    scope: Literal["account", "service"]
    method: str
    filters: frozenset[str]
    pre_webhook_url: str | None
    post_webhook_url: str | None

    def target(self, event_name: str, url: str | None) -> Target | None:
        """The webhook, if this event is to be told and there is a URL to tell it to."""
        if url is None or event_name not in self.filters:
            return None
        return Target(self.key, url, self.method, None, self.scope, None)


@lru_cache(maxsize=limits.FILTER_LISTS_REMEMBERED_MAX)
def _names(listed: str | None) -> frozenset[str]:
    """A list of event names as it is kept."""
    return frozenset(_decode(listed)) if listed else frozenset()


@lru_cache(maxsize=limits.FILTER_LISTS_REMEMBERED_MAX)
def _say_flex_is_silent(account_sid: str) -> None:
    """Say it once, and not with every event."""
    log.warning("webhooks_silent_for_target_flex", account_sid=account_sid)


async def _configured(tx: Transaction, scope: Scope) -> _Configured | None:
    """The service's own configuration if it has a URL, else the account's."""
    own = await service_configurations.fetch(tx, scope)
    if own.replaces_account:
        return _Configured(
            key=own.service_sid,
            scope="service",
            method=own.method or _METHOD,
            filters=_names(own.filters),
            pre_webhook_url=own.pre_webhook_url,
            post_webhook_url=own.post_webhook_url,
        )
    shared = await account_configurations.fetch(tx, scope)
    if shared.pre_webhook_url is None and shared.post_webhook_url is None:
        return None
    if shared.target == _FLEX:
        _say_flex_is_silent(scope.account_sid)
        return None
    return _Configured(
        key=shared.account_sid,
        scope="account",
        method=shared.method,
        filters=_names(shared.filters),
        pre_webhook_url=shared.pre_webhook_url,
        post_webhook_url=shared.post_webhook_url,
    )


async def asked_before(tx: Transaction, scope: Scope, event_name: str) -> Target | None:
    """The webhook that is asked before an action, by the name of its pre-action event."""
    found = await _configured(tx, scope)
    return None if found is None else found.target(event_name, found.pre_webhook_url)


class Webhooks:
    """Webhooks by service and by conversation, each read once in a transaction.

    The events of a chunk are of a few conversations, and nearly always have no webhook at all: an
    account that has none in any conversation is asked for once. Bounded by the chunk.
    """

    def __init__(self) -> None:
        self._configured: dict[Scope, _Configured | None] = {}
        self._attached: dict[tuple[Scope, str], list[ScopedWebhook]] = {}
        self._removals: dict[tuple[Scope, str], str | None] = {}
        self._has_attached: dict[str, bool] = {}
        self._has_removals: dict[str, bool] = {}

    async def configured(self, tx: Transaction, scope: Scope) -> _Configured | None:
        """The configuration that counts in a service."""
        if scope not in self._configured:
            self._configured[scope] = await _configured(tx, scope)
        return self._configured[scope]

    async def attached(
        self, tx: Transaction, scope: Scope, conversation_sid: str
    ) -> list[ScopedWebhook]:
        """The webhooks of a conversation, oldest first."""
        key = (scope, conversation_sid)
        found = self._attached.get(key)
        if found is None:
            account_sid = scope.account_sid
            if account_sid not in self._has_attached:
                self._has_attached[account_sid] = await scoped_webhooks.any_of(tx, scope)
            found = []
            if self._has_attached[account_sid]:
                found = await scoped_webhooks.all_of(tx, scope, conversation_sid)
            self._attached[key] = found
        return found

    async def removal(self, tx: Transaction, scope: Scope, conversation_sid: str) -> str | None:
        """The payload of the event with which a conversation was removed, if it was."""
        account_sid = scope.account_sid
        if account_sid not in self._has_removals:
            self._has_removals[account_sid] = await event_log.has_removals(tx, scope)
        if not self._has_removals[account_sid]:
            return None
        key = (scope, conversation_sid)
        if key not in self._removals:
            self._removals[key] = await event_log.removal_of(tx, scope, conversation_sid)
        return self._removals[key]


async def targets_of(
    tx: Transaction, event: Event, studio_url: str = "", *, webhooks: Webhooks | None = None
) -> list[Target]:
    """The webhooks of an event: account's or service's first, then the conversation's by age.

    ``studio_url`` is where flows are started; without it those that should be are only logged.
    ``webhooks`` are those that were read in this transaction.
    """
    webhooks = webhooks or Webhooks()
    if not event.fires or event.name not in _POST_ACTION:
        return []
    scope = Scope(event.account_sid, event.service_sid)
    found = await webhooks.configured(tx, scope)
    first = None if found is None else found.target(event.name, found.post_webhook_url)
    targets = [] if first is None else [first]
    if event.name in _UNSCOPED:
        return targets
    for webhook in await _listening(tx, scope, event, webhooks):
        target = _scoped_target(webhook, event, studio_url)
        if target is not None:
            targets.append(target)
    return targets


async def _listening(
    tx: Transaction, scope: Scope, event: Event, webhooks: Webhooks
) -> list[ScopedWebhook]:
    """The webhooks that the conversation had when the event was committed."""
    found = await webhooks.attached(tx, scope, event.conversation_sid)
    if not found:
        found = await _removed_with_conversation(tx, scope, event, webhooks)
    return [webhook for webhook in found if await _heard_it(tx, scope, webhook, event)]


async def _removed_with_conversation(
    tx: Transaction, scope: Scope, event: Event, webhooks: Webhooks
) -> list[ScopedWebhook]:
    """What the removal of the conversation took along, if it is gone."""
    payload: str | None = event.payload
    if event.name != events.ON_CONVERSATION_REMOVED:
        payload = await webhooks.removal(tx, scope, event.conversation_sid)
    if payload is None:
        return []
    return msgspec.convert(_decode(payload)["scoped_webhooks"], list[ScopedWebhook])


async def _heard_it(tx: Transaction, scope: Scope, webhook: ScopedWebhook, event: Event) -> bool:
    """Whether the webhook was there when the event was committed."""
    if webhook.date_created < event.date_ms:
        return True
    # In the same millisecond, or read late: the order of the log decides.
    return await event_log.attached_at(tx, scope, webhook.sid) < event.sequence


def _scoped_target(webhook: ScopedWebhook, event: Event, studio_url: str) -> Target | None:
    """The webhook as a target of this event, if it is one."""
    if webhook.target == TRIGGER:
        if event.name != events.ON_MESSAGE_ADDED or not _is_triggered(webhook, event):
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
    return Target(
        key=webhook.sid,
        url=url,
        method=webhook.method or _METHOD,
        retry_count=webhook.retry_count,
        scope="conversation",
        webhook_sid=webhook.sid,
    )


def _filters_of(webhook: ScopedWebhook) -> frozenset[str]:
    """What it wants to hear of; a flow hears of new messages unless it says otherwise."""
    if webhook.target == STUDIO and webhook.filters is None:
        return _FLOW_FILTERS
    return _names(webhook.filters)


def _is_triggered(webhook: ScopedWebhook, event: Event) -> bool:
    """Whether the message has one of the words in its body, in any case and within a word."""
    body = _decode(event.payload)["message"]["body"]
    if not body:
        return False
    searched = body.casefold()
    return any(word.casefold() in searched for word in _names(webhook.triggers))


def _flow_url(webhook: ScopedWebhook, studio_url: str) -> str | None:
    """Where a flow is started; None where nothing runs flows."""
    if not studio_url:
        return None
    return f"{studio_url.rstrip('/')}/v1/Accounts/{webhook.account_sid}/Flows/{webhook.flow_sid}"


async def replays_of(
    tx: Transaction, event: Event, studio_url: str = ""
) -> list[tuple[Target, dict[str, str]]]:
    """What a new webhook of a conversation is told of the messages that were there before it.

    In the order of their indexes, whoever wrote them and with or without the header; at most
    ``REPLAYED_MESSAGES_MAX`` messages are looked at.
    """
    payload: dict[str, Any] = _decode(event.payload)
    webhook = msgspec.convert(payload["scoped_webhook"], ScopedWebhook)
    if webhook.replay_after is None:
        return []
    scope = Scope(event.account_sid, event.service_sid)
    conversation = await conversations.find(tx, scope, event.conversation_sid)
    if conversation is None:
        return []
    count = limits.REPLAYED_MESSAGES_MAX
    end = payload["next_message_index"]
    found = await messages.between(
        tx, scope, conversation.sid, webhook.replay_after, end, count + 1
    )
    if len(found) > count:
        log.warning("replay_cut", webhook_sid=webhook.sid, first_missing=found[count].message_index)
    replays = []
    for message in found[:count]:
        told = _told_again(message, conversation.messaging_service_sid, event)
        target = _scoped_target(webhook, told, studio_url)
        if target is not None:
            key = f"{target.key}.{message.message_index}"
            replays.append((replace(target, key=key), post_parameters(told)))
    return replays


def _told_again(message: Message, messaging_service_sid: str | None, event: Event) -> Event:
    """The event of a message as it would have been told."""
    payload = {"message": message, "messaging_service_sid": messaging_service_sid}
    return msgspec.structs.replace(
        event,
        name=events.ON_MESSAGE_ADDED,
        subject_sid=message.sid,
        source=message.source,
        client_identity=message.author if message.source == SDK else None,
        fires=True,
        payload=msgspec.json.encode(payload).decode(),
    )
