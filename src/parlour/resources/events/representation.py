"""The JSON of an event of the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms
from parlour.resources.webhook_forms import UNREADABLE, post_parameters

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.events.feed import FeedEvent
    from parlour.vocabulary.event import Event


def resource(shown: FeedEvent, _view: View | None = None) -> dict[str, Any]:
    """Return one event with the parameters that a webhook would get."""
    event = shown.event
    sequence = {"sequence": event.sequence} if shown.shows_sequence else {}
    return {
        "cursor": shown.cursor,
        **sequence,
        "event_type": event.name,
        "account_sid": event.account_sid,
        "chat_service_sid": event.service_sid,
        "conversation_sid": event.conversation_sid or None,
        "subject_sid": event.subject_sid,
        "source": event.source,
        "client_identity": event.client_identity,
        "fires_webhooks": event.fires,
        "request_sid": event.request_sid,
        "parameters": _parameters(event),
        "date": format_date_ms(event.date_ms),
    }


def _parameters(event: Event) -> dict[str, str] | None:
    """Return the parameters; None for an event that this version cannot decode."""
    try:
        return post_parameters(event)
    except UNREADABLE:
        return None
