"""Actions on scoped webhooks. Their events are not sent to webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.call import Rows
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.in_path import in_path
from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from parlour.resources.scoped_webhooks.parameters import STUDIO, TRIGGER
from parlour.resources.scoped_webhooks.store import ScopedWebhook
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.dates import updated
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, Unset

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.scoped_webhooks.parameters import (
        CreateScopedWebhook,
        UpdateScopedWebhook,
        WebhookParameters,
    )
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

METHOD_DEFAULT = "POST"


scoped_webhook_in_path = in_path(sids.SCOPED_WEBHOOK, scoped_webhook_store.find_scoped_webhook)


async def create_scoped_webhook(tx: Transaction, call: Call[CreateScopedWebhook]) -> ScopedWebhook:
    """Create a webhook for a conversation in any state."""
    conversation = await conversation_actions.conversation_in_path(tx, call)
    return await add_scoped_webhook(tx, call.scope, conversation, call.parameters)


async def add_scoped_webhook(
    tx: Transaction, scope: Scope, conversation: Conversation, change: CreateScopedWebhook
) -> ScopedWebhook:
    """Validate and insert a webhook, and emit its event."""
    webhook = msgspec.structs.replace(
        new_scoped_webhook(tx, scope, conversation.sid, change.target),
        replay_after=None if change.replay_after is UNSET else change.replay_after,
    )
    webhook = _configured(webhook, change)
    existing = await scoped_webhook_store.list_all_scoped_webhooks(tx, scope, conversation.sid)
    if len(existing) >= limits.WEBHOOKS_PER_CONVERSATION_MAX:
        raise ApiError(50361)
    await save_new_scoped_webhook(tx, scope, conversation, webhook)
    return webhook


def new_scoped_webhook(
    tx: Transaction, scope: Scope, conversation_sid: str, target: str
) -> ScopedWebhook:
    """Return the record of a new webhook, without the members of its target."""
    return ScopedWebhook(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid=conversation_sid,
        sid=tx.new_sid(sids.SCOPED_WEBHOOK),
        sequence=tx.next_sequence(),
        target=target,
        url=None,
        method=None,
        filters=None,
        triggers=None,
        flow_sid=None,
        retry_count=None,
        replay_after=None,
        date_created=tx.now,
        date_updated=tx.now,
    )


async def save_new_scoped_webhook(
    tx: Transaction, scope: Scope, conversation: Conversation, webhook: ScopedWebhook
) -> None:
    """Insert a webhook; its event contains the end of the messages to replay."""
    await scoped_webhook_store.insert_scoped_webhook(tx, scope, webhook)
    await tx.emit(
        scope,
        event_names.SCOPED_WEBHOOK_ADDED,
        conversation_sid=conversation.sid,
        subject_sid=webhook.sid,
        payload={
            "scoped_webhook": webhook,
            "next_message_index": conversation.next_message_index,
        },
    )


def _configured(before: ScopedWebhook, change: WebhookParameters) -> ScopedWebhook:
    """Return the webhook with the given parameters; raises if its target needs more."""
    change.check_list_sizes()
    if before.target == STUDIO:
        return _flow(before, change)
    after = msgspec.structs.replace(
        before,
        url=before.url if change.url is UNSET else change.url,
        method=(before.method or METHOD_DEFAULT) if change.method is UNSET else change.method,
    )
    if not after.url:
        raise ApiError(50369)
    if before.target == TRIGGER:
        triggers = _listed(change.triggers, before.triggers)
        if triggers is None:
            raise ApiError(50371)
        return msgspec.structs.replace(after, triggers=triggers)
    filters = _listed(change.filters, before.filters)
    if filters is None:
        raise ApiError(50370)
    return msgspec.structs.replace(after, filters=filters)


def _flow(before: ScopedWebhook, change: WebhookParameters) -> ScopedWebhook:
    """Return a webhook that starts a flow: the flow is required, filters are optional."""
    flow_sid = before.flow_sid if change.flow_sid is UNSET else change.flow_sid
    if flow_sid is None:
        raise ApiError(50367)
    return msgspec.structs.replace(
        before, flow_sid=flow_sid, filters=_listed(change.filters, before.filters)
    )


def _listed(values: list[str] | Unset, before: str | None) -> str | None:
    """Return a list as JSON, as it is stored; None for an empty one."""
    if values is UNSET:
        return before
    return msgspec.json.encode(values).decode() if values else None


async def fetch_scoped_webhook(tx: Transaction, call: Call[NoParameters]) -> ScopedWebhook:
    """Return the webhook that the path names."""
    return await scoped_webhook_in_path(
        tx, call, await conversation_actions.conversation_sid_in_path(tx, call)
    )


async def list_scoped_webhooks(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of the conversation's webhooks."""
    conversation = await conversation_actions.conversation_in_path(tx, call)
    return Rows(
        await scoped_webhook_store.list_scoped_webhooks(
            tx, call.scope, conversation.sid, call.page_request
        )
    )


async def update_scoped_webhook(tx: Transaction, call: Call[UpdateScopedWebhook]) -> ScopedWebhook:
    """Update a webhook; its target is immutable."""
    before = await scoped_webhook_in_path(
        tx, call, await conversation_actions.conversation_sid_in_path(tx, call)
    )
    after = updated(_configured(before, call.parameters), tx.now)
    await scoped_webhook_store.update_scoped_webhook_row(tx, call.scope, after)
    await _emit_change(tx, call.scope, after, is_removed=False)
    return after


async def delete_scoped_webhook(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a webhook."""
    webhook = await scoped_webhook_in_path(
        tx, call, await conversation_actions.conversation_sid_in_path(tx, call)
    )
    await scoped_webhook_store.delete_scoped_webhook_row(
        tx, call.scope, webhook.conversation_sid, webhook.sid
    )
    await _emit_change(tx, call.scope, webhook, is_removed=True)


async def _emit_change(
    tx: Transaction, scope: Scope, webhook: ScopedWebhook, *, is_removed: bool
) -> None:
    """Emit the event that invalidates caches of webhooks."""
    await tx.emit(
        scope,
        event_names.SCOPED_WEBHOOK_CHANGED,
        conversation_sid=webhook.conversation_sid,
        subject_sid=webhook.sid,
        payload={"scoped_webhook": webhook, "is_removed": is_removed},
    )
