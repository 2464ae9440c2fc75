"""Webhook settings in force when an event was committed, however far the intake lags behind.

An account, a service and a conversation (its scoped webhooks) have settings. Each change writes an
event in the same transaction, and the event contains the settings before the change. So the
settings in force at event N are those before the first change at or after N, or the current rows
without such a change. "At" matters because the removal of a conversation is both: a change, and an
event that is sent to its webhooks.

The order is the order of event numbers. A lock serializes the changes of one owner until their
commit, and numbers are allocated while it is held; a client that has the response to a change
before it sends a request gets a higher number with that request (docs/explanation/events.md).

No history of settings is stored for this: an event stays in the log until the intake has passed
it. After a restart or a change of the lease owner the same events are read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec
import structlog

from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from parlour.resources.scoped_webhooks.store import ScopedWebhook  # noqa: TC001 - msgspec reads it.
from parlour.resources.service_webhook_configuration import (
    store as service_webhook_configuration_store,
)
from parlour.resources.service_webhook_configuration.store import (
    ServiceWebhookConfiguration,  # noqa: TC001 - as above.
)
from parlour.resources.webhook_configuration import store as webhook_configuration_store
from parlour.resources.webhook_configuration.store import (
    WebhookConfiguration,  # noqa: TC001 - as above.
)
from parlour.store import event_log
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event
    from parlour.vocabulary.scope import Scope

    ReadNow = Callable[[Transaction, Scope, str], Awaitable[Any]]

log = structlog.get_logger()

DEFAULT_METHOD: Final = "POST"
_FLEX: Final = "flex"


class EffectiveConfiguration(msgspec.Struct, frozen=True):
    """The configuration in force in a service, from the service or from its account."""

    key: str
    scope: Literal["account", "service"]
    method: str
    filters: frozenset[str]
    pre_webhook_url: str | None
    post_webhook_url: str | None


class _BeforeOfAccount(msgspec.Struct):
    before: WebhookConfiguration


class _BeforeOfService(msgspec.Struct):
    before: ServiceWebhookConfiguration


class _BeforeOfConversation(msgspec.Struct):
    """The payload of a change of one scoped webhook, or of the removal of the conversation."""

    before: list[ScopedWebhook] | None = None
    scoped_webhooks: list[ScopedWebhook] | None = None


_account_change = msgspec.json.Decoder(_BeforeOfAccount)
_service_change = msgspec.json.Decoder(_BeforeOfService)
_conversation_change = msgspec.json.Decoder(_BeforeOfConversation)
_decode = msgspec.json.Decoder().decode


@lru_cache(maxsize=limits.FILTER_LISTS_CACHED_MAX)
def names_of(listed: str | None) -> frozenset[str]:
    """Return a list of event names, or of words, from the text of its column."""
    return frozenset(_decode(listed)) if listed else frozenset()


@lru_cache(maxsize=limits.FILTER_LISTS_CACHED_MAX)
def _warn_flex_target_ignored(account_sid: str) -> None:
    """Log a warning once for each account, not for each event."""
    log.warning("flex_webhook_target_ignored", account_sid=account_sid)


def effective_configuration(
    own: ServiceWebhookConfiguration, shared: WebhookConfiguration | None
) -> EffectiveConfiguration | None:
    """Return the configuration in force: the service's once it has a URL, else ``shared``.

    ``shared``: the account's; not needed for a service that replaces it.
    """
    if own.replaces_account:
        return EffectiveConfiguration(
            key=own.service_sid,
            scope="service",
            method=own.method or DEFAULT_METHOD,
            filters=names_of(own.filters),
            pre_webhook_url=own.pre_webhook_url,
            post_webhook_url=own.post_webhook_url,
        )
    assert shared is not None, own.service_sid
    if shared.pre_webhook_url is None and shared.post_webhook_url is None:
        return None
    if shared.target == _FLEX:
        _warn_flex_target_ignored(shared.account_sid)
        return None
    return EffectiveConfiguration(
        key=shared.account_sid,
        scope="account",
        method=shared.method,
        filters=names_of(shared.filters),
        pre_webhook_url=shared.pre_webhook_url,
        post_webhook_url=shared.post_webhook_url,
    )


async def current_configuration(tx: Transaction, scope: Scope) -> EffectiveConfiguration | None:
    """Return the configuration that is in force in a service now."""
    own = await service_webhook_configuration_store.get_service_webhook_configuration(tx, scope)
    shared = (
        None
        if own.replaces_account
        else await webhook_configuration_store.get_webhook_configuration(tx, scope)
    )
    return effective_configuration(own, shared)


async def _service_now(tx: Transaction, scope: Scope, _: str) -> ServiceWebhookConfiguration:
    return await service_webhook_configuration_store.get_service_webhook_configuration(tx, scope)


async def _account_now(tx: Transaction, scope: Scope, _: str) -> WebhookConfiguration:
    return await webhook_configuration_store.get_webhook_configuration(tx, scope)


def _before_of_account(payload: str) -> WebhookConfiguration:
    return _account_change.decode(payload).before


def _before_of_service(payload: str) -> ServiceWebhookConfiguration:
    return _service_change.decode(payload).before


def _before_of_conversation(payload: str) -> list[ScopedWebhook]:
    read = _conversation_change.decode(payload)
    found = read.scoped_webhooks if read.before is None else read.before
    if found is None:
        raise msgspec.ValidationError("a change of webhooks does not have the webhooks before it")
    return found


class _ValidRange(NamedTuple):
    """Settings in force from one event to another, both included; ``last`` None: until now."""

    first: int
    last: int | None
    value: Any

    def covers(self, sequence: int) -> bool:
        return self.first <= sequence and (self.last is None or sequence <= self.last)


class SettingsInForce:
    """A cache of settings as of each event of a chunk, for one transaction."""

    # The events of a chunk belong to few conversations, and settings rarely change. So first one
    # index lookup for each account: has anything changed since the event? Only then is the log
    # searched for each service and conversation. The size is bounded by the chunk.
    #
    # An entry of ``_spans`` is valid for a range of events. Events are read in ascending order, so
    # the range of an owner is replaced once an event is behind it.

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str], _ValidRange] = {}
        self._changed_since: dict[str, tuple[int, bool]] = {}
        self._has_attached: dict[str, bool] = {}

    async def configured(
        self, tx: Transaction, scope: Scope, sequence: int
    ) -> EffectiveConfiguration | None:
        """Return the configuration that was in force in a service at an event."""
        own: ServiceWebhookConfiguration = await self._in_force(
            tx,
            scope,
            scope.service_sid,
            sequence,
            _service_now,
            _before_of_service,
        )
        if own.replaces_account:
            return effective_configuration(own, None)
        shared: WebhookConfiguration = await self._in_force(
            tx,
            scope,
            scope.account_sid,
            sequence,
            _account_now,
            _before_of_account,
        )
        return effective_configuration(own, shared)

    async def attached(self, tx: Transaction, scope: Scope, event: Event) -> list[ScopedWebhook]:
        """Return the webhooks that the conversation of an event had then, oldest first."""
        found: list[ScopedWebhook] = await self._in_force(
            tx,
            scope,
            event.conversation_sid,
            event.sequence,
            self._attached_now,
            _before_of_conversation,
        )
        return [each for each in found if await _was_attached(tx, scope, each, event)]

    async def _attached_now(
        self, tx: Transaction, scope: Scope, conversation_sid: str
    ) -> list[ScopedWebhook]:
        account_sid = scope.account_sid
        if account_sid not in self._has_attached:
            self._has_attached[account_sid] = await scoped_webhook_store.has_scoped_webhooks(
                tx, scope
            )
        if not self._has_attached[account_sid]:
            return []
        return await scoped_webhook_store.list_all_scoped_webhooks(tx, scope, conversation_sid)

    async def _in_force(
        self,
        tx: Transaction,
        scope: Scope,
        owner_sid: str,
        sequence: int,
        read_now: ReadNow,
        read_before: Callable[[str], Any],
    ) -> Any:
        key = (scope.account_sid, owner_sid)
        span = self._spans.get(key)
        if span is None or not span.covers(sequence):
            change = None
            if await self._has_changes(tx, scope, sequence):
                change = await event_log.next_webhook_change(tx, scope, owner_sid, sequence)
            if change is None:
                span = _ValidRange(sequence, None, await read_now(tx, scope, owner_sid))
            else:
                span = _ValidRange(sequence, change[0], read_before(change[1]))
            self._spans[key] = span
        return span.value

    async def _has_changes(self, tx: Transaction, scope: Scope, sequence: int) -> bool:
        """Return whether any settings of the account changed at an event or after it."""
        known = self._changed_since.get(scope.account_sid)
        if known is None or sequence < known[0]:
            has_any = await event_log.has_webhook_changes(tx, scope, sequence)
            known = self._changed_since[scope.account_sid] = (sequence, has_any)
        return known[1]


async def _was_attached(
    tx: Transaction, scope: Scope, webhook: ScopedWebhook, event: Event
) -> bool:
    """Return whether the webhook existed when the event was committed."""
    # Always true, unless it was attached by a version that did not record the webhooks before a
    # change.
    if webhook.date_created < event.date_ms:
        return True
    # The dates do not decide, as both may be of the same millisecond: the order of the log does.
    return await event_log.attached_at(tx, scope, webhook.sid) < event.sequence
