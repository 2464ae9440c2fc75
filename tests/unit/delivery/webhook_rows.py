"""Rows of webhook settings, conversations and messages, with the fields that delivery reads."""

from __future__ import annotations

from typing import Any

from parlour.resources.conversations.store import Conversation
from parlour.resources.messages.store import Message
from parlour.resources.scoped_webhooks.store import ScopedWebhook
from parlour.resources.service_webhook_configuration.store import ServiceWebhookConfiguration
from parlour.resources.webhook_configuration.store import WebhookConfiguration

PRE, POST = "http://h.test/pre", "http://h.test/post"


def account_webhooks(**changes: Any) -> WebhookConfiguration:
    """Return the configuration of account AC1, for added messages."""
    values = {"pre_webhook_url": PRE, "post_webhook_url": POST, "filters": '["onMessageAdded"]'}
    return WebhookConfiguration("AC1", **(values | changes))


def service_webhooks(**changes: Any) -> ServiceWebhookConfiguration:
    """Return the configuration of service IS1, which replaces the one of its account."""
    values = {"post_webhook_url": "http://service.test/", "filters": '["onMessageAdded"]'}
    return ServiceWebhookConfiguration("AC1", "IS1", **(values | changes))


def scoped_webhook(sid: str = "WH1", **changes: Any) -> ScopedWebhook:
    """Return a webhook of conversation CH1, for added messages."""
    values: dict[str, Any] = {
        "account_sid": "AC1",
        "service_sid": "IS1",
        "conversation_sid": "CH1",
        "sid": sid,
        "sequence": 1,
        "target": "webhook",
        "url": f"http://{sid}.test/",
        "method": None,
        "filters": '["onMessageAdded"]',
        "triggers": None,
        "flow_sid": None,
        "retry_count": None,
        "replay_after": None,
        "date_created": 0,
        "date_updated": 0,
    }
    return ScopedWebhook(**(values | changes))


def conversation(sid: str = "CH1", **changes: Any) -> Conversation:
    """Return a conversation of service IS1."""
    values = dict.fromkeys(Conversation.__struct_fields__, 0) | {
        "account_sid": "AC1",
        "service_sid": "IS1",
        "sid": sid,
        "messaging_service_sid": "MG1",
        "friendly_name": None,
        "unique_name": None,
        "attributes": "{}",
        "state": "active",
        "inactive_timer_seconds": None,
        "closed_timer_seconds": None,
        "date_inactive": None,
        "date_closed": None,
        "email_address": None,
        "email_name": None,
        "created_by": "system",
        "pending_participants": None,
    }
    return Conversation(**(values | changes))


def message(index: int, **changes: Any) -> Message:
    """Return a message of conversation CH1."""
    values = dict.fromkeys(Message.__struct_fields__, 0) | {
        "account_sid": "AC1",
        "service_sid": "IS1",
        "conversation_sid": "CH1",
        "sid": f"IM{index}",
        "message_index": index,
        "author": "alice",
        "participant_sid": None,
        "body": f"body {index}",
        "subject": None,
        "attributes": "{}",
        "media": None,
        "content_sid": None,
        "content_variables": None,
        "source": "API",
        "last_updated_by": None,
    }
    return Message(**(values | changes))
