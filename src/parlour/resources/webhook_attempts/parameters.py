"""What may be said about the webhook log: which attempts are meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlour.operations.parameters import Parameters, said
from parlour.protocol import parsers, timestamps
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.vocabulary import events, sids

if TYPE_CHECKING:
    from parlour.resources.webhook_attempts.store import AttemptFilters
    from parlour.vocabulary.unset import Unset

_EVENT_NAMES = parsers.enum(*events.POST_ACTION, *events.PRE_ACTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWebhookAttempts(Parameters):
    """Filters of the list; all that are given have to fit."""

    conversation_sid: str | Unset = said("ConversationSid", parsers.sid(sids.CONVERSATION))
    event_type: str | Unset = said("EventType", _EVENT_NAMES)
    outcome: str | Unset = said("Outcome", parsers.enum(*webhook_attempt_store.OUTCOMES))
    since: int | Unset = said("Since", timestamps.timestamp())
    until: int | Unset = said("Until", timestamps.timestamp())

    def filters(self) -> AttemptFilters:
        """The same, as the store takes it."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayWebhookAttempts(ListWebhookAttempts):
    """A range: its attempts' deliveries are made again. ``Since`` is required."""

    since: int | Unset = said("Since", timestamps.timestamp(), required=True)
    after: str | Unset = said("After", parsers.sid(sids.WEBHOOK_ATTEMPT))
