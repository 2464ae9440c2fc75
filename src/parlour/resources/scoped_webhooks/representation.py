"""Representations of scoped webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.scoped_webhooks.store import ScopedWebhook

_lists = msgspec.json.Decoder(list[str])


def configuration(webhook: ScopedWebhook) -> dict[str, Any]:
    """Return the members that its target has. Triggers are shown under both of their names."""
    shown: dict[str, Any]
    filters = None if webhook.filters is None else _lists.decode(webhook.filters)
    if webhook.flow_sid is not None:
        shown = {"flow_sid": webhook.flow_sid}
        if filters is not None:
            shown["filters"] = filters
    elif webhook.triggers is not None:
        words = _lists.decode(webhook.triggers)
        shown = {
            "url": webhook.url,
            "method": webhook.method,
            "triggers": words,
            "filters": words,
        }
    else:
        shown = {"url": webhook.url, "method": webhook.method, "filters": filters}
    if webhook.replay_after is not None:
        shown["replay_after"] = webhook.replay_after
    return shown


def resource(webhook: ScopedWebhook, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    conversation = f"{view.base_url}/Conversations/{webhook.conversation_sid}"
    shown: dict[str, Any] = {"account_sid": webhook.account_sid}
    if view.shows_service:
        shown["chat_service_sid"] = webhook.service_sid
    shown |= {
        "conversation_sid": webhook.conversation_sid,
        "sid": webhook.sid,
        "target": webhook.target,
        "configuration": configuration(webhook),
        "date_created": format_date(webhook.date_created),
        "date_updated": format_date(webhook.date_updated),
        "url": f"{conversation}/Webhooks/{webhook.sid}",
    }
    return shown
