"""Parameters of the webhook log: the filters of attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, form_field
from parlour.operations.waiting_lists import WaitParameters
from parlour.protocol import parsers, timestamps
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.vocabulary import event_names, limits, sids

if TYPE_CHECKING:
    from parlour.resources.webhook_attempts.store import AttemptFilters
    from parlour.vocabulary.unset import Unset

_EVENT_NAMES = parsers.enum(*event_names.POST_ACTION, *event_names.PRE_ACTION)


# Without slots: a class cannot have two bases with slots.
class WebhookAttemptFilters(Parameters):
    """Filters of attempts, combined by AND."""

    conversation_sid: str | Unset = form_field("ConversationSid", parsers.sid(sids.CONVERSATION))
    event_type: str | Unset = form_field("EventType", _EVENT_NAMES)
    outcome: str | Unset = form_field("Outcome", parsers.enum(*webhook_attempt_store.OUTCOMES))
    since: int | Unset = form_field("Since", timestamps.timestamp())
    until: int | Unset = form_field("Until", timestamps.timestamp())

    def filters(self) -> AttemptFilters:
        """Return the filters of the store."""
        given = self.given()
        bounds = {}
        if "since" in given:
            bounds["from_sid"] = webhook_attempt_store.attempt_sid_at(given["since"])
        if "until" in given:
            bounds["before_sid"] = webhook_attempt_store.attempt_sid_at(given["until"])
        return webhook_attempt_store.AttemptFilters(
            conversation_sid=given.get("conversation_sid", ""),
            event_name=given.get("event_type", ""),
            outcome=given.get("outcome", ""),
            **bounds,
        )


class ListWebhookAttempts(WebhookAttemptFilters, WaitParameters):
    """The filters of the list, which can wait: also by the event, the delivery or the URL."""

    event_cursor: str | Unset = form_field(
        "EventCursor", parsers.text(limits.EVENT_CURSOR_CHARS_MAX)
    )
    attempt_sid: str | Unset = form_field("AttemptSid", parsers.sid(sids.WEBHOOK_ATTEMPT))
    url: str | Unset = form_field("Url", parsers.text(limits.URL_CHARS_MAX))


class ReplayWebhookAttempts(WebhookAttemptFilters):
    """The range of attempts whose deliveries are replayed. ``Since`` is required."""

    since: int | Unset = form_field("Since", timestamps.timestamp(), required=True)
    after: str | Unset = form_field("After", parsers.sid(sids.WEBHOOK_ATTEMPT))
