"""The targets of webhooks: which ones an event, or a pre-action request, is sent to.

At most one target comes from the configurations, since the configuration of a service replaces the
one of its account entirely once it has a URL. Scoped webhooks of the conversation are added. An
event is sent by the settings in force when it was committed (``webhook_settings.py``), a
pre-action request by the current ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import structlog

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
from parlour.resources.webhook_forms import post_parameters
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.origin import SDK
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.messages.store import Message
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event

log = structlog.get_logger()

_POST_ACTION: Final = frozenset(event_names.POST_ACTION)
# Events that cannot be sent to scoped webhooks.
_UNSCOPED: Final = _POST_ACTION - event_names.SCOPED_FILTERS
_FLOW_FILTERS: Final = frozenset({event_names.ON_MESSAGE_ADDED})

_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """One webhook that an event is sent to.

    ``retry_count``: the maximum of retries; None: by the schedule of the account.
    """

    # ``key`` is unique among the targets of one event: the SID of an account, service or webhook,
    # for a replayed message followed by its index. With the account and the event's number it is
    # the primary key of the delivery, so a repeated intake inserts no second one.
    key: str
    url: str
    method: str
    retry_count: int | None
    scope: Literal["account", "service", "conversation"]
    webhook_sid: str | None


async def pre_action_target(tx: Transaction, scope: Scope, event_name: str) -> WebhookTarget | None:
    """Return the webhook that is called before an action, by the name of its pre-action event."""
    found = await current_configuration(tx, scope)
    return None if found is None else _configured_target(found, event_name, found.pre_webhook_url)


def _configured_target(
    found: EffectiveConfiguration, event_name: str, url: str | None
) -> WebhookTarget | None:
    """Return the target, if the configuration has a URL and its filters include the event."""
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
    """Return the targets of an event: the configured one first, then scoped webhooks by age.

    ``studio_url``: the server that starts Studio flows; without it they are logged and not started.
    ``settings``: the cache of this transaction. Raises ``ValueError`` for an event name that this
    version does not have.
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
    """Return the scoped webhook as a target, if the event matches its filters or triggers."""
    if webhook.target == TRIGGER:
        if event.name != event_names.ON_MESSAGE_ADDED or not _is_triggered(webhook, event):
            return None
    elif event.name not in _filters_of(webhook):
        return None
    url = _flow_url(webhook, studio_url) if webhook.target == STUDIO else webhook.url
    if url is None:
        log.warning(
            "flow_start_failed",
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
    """Return the event names of a scoped webhook; by default a flow gets new messages."""
    if webhook.target == STUDIO and webhook.filters is None:
        return _FLOW_FILTERS
    return names_of(webhook.filters)


def _is_triggered(webhook: ScopedWebhook, event: Event) -> bool:
    """Return whether the body contains one of the trigger words, ignoring case."""
    body = _decode(event.payload)["message"]["body"]
    if not body:
        return False
    searched = body.casefold()
    return any(word.casefold() in searched for word in names_of(webhook.triggers))


def _flow_url(webhook: ScopedWebhook, studio_url: str) -> str | None:
    """Return the URL that starts the flow; None without a Studio server."""
    if not studio_url:
        return None
    return f"{studio_url.rstrip('/')}/v1/Accounts/{webhook.account_sid}/Flows/{webhook.flow_sid}"


async def replays_of(
    tx: Transaction, event: Event, studio_url: str = ""
) -> list[tuple[WebhookTarget, dict[str, str]]]:
    """Return the targets and parameters that replay earlier messages to a new scoped webhook.

    In the order of their indexes, regardless of author and ``X-Twilio-Webhook-Enabled``. At most
    ``REPLAYED_MESSAGES_MAX`` messages are read.
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
        replayed = _as_message_added(message, conversation.messaging_service_sid, event)
        target = _scoped_target(webhook, replayed, studio_url)
        if target is not None:
            key = f"{target.key}.{message.message_index}"
            replays.append((replace(target, key=key), post_parameters(replayed)))
    return replays


def _as_message_added(message: Message, messaging_service_sid: str | None, event: Event) -> Event:
    """Return the event ``onMessageAdded`` of a message, made from the event of its replay."""
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
