"""Parameters of the event feed: the position, the filters and the wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.parameters import form_field
from parlour.operations.waiting_lists import WaitParameters
from parlour.protocol import parsers, timestamps
from parlour.resources.events.store import EventFilters
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

ASCENDING: Final = "asc"
DESCENDING: Final = "desc"


class ListEvents(WaitParameters):
    """The event after which the page starts, and filters that are combined by AND."""

    after: str | Unset = form_field("After", parsers.text(limits.EVENT_CURSOR_CHARS_MAX))
    event_type: list[str] | Unset = form_field(
        "EventType", parsers.enum(*event_names.POST_ACTION), repeated=True
    )
    conversation_sid: str | Unset = form_field("ConversationSid", parsers.sid(sids.CONVERSATION))
    source: str | Unset = form_field("Source", parsers.text(limits.EVENT_FILTER_CHARS_MAX))
    identity: str | Unset = form_field("Identity", parsers.text(limits.EVENT_FILTER_CHARS_MAX))
    since: int | Unset = form_field("Since", timestamps.timestamp())
    request_sid: str | Unset = form_field("RequestSid", parsers.sid(sids.REQUEST))
    order: str | Unset = form_field("Order", parsers.enum(ASCENDING, DESCENDING))

    @property
    def is_descending(self) -> bool:
        """Whether the newest is first. Raises 20001 together with ``After`` or ``Wait``."""
        given = self.given()
        if given.get("order") != DESCENDING:
            return False
        for name in ("after", "wait"):
            if name in given:
                raise ApiError(20001, f"Invalid Order: {DESCENDING} has no {name.title()}.")
        return True

    def filters(self) -> EventFilters:
        """Return the filters of the store."""
        given = self.given()
        return EventFilters(
            names=tuple(dict.fromkeys(given.get("event_type", ()))),
            conversation_sid=given.get("conversation_sid", ""),
            source=given.get("source", ""),
            identity=given.get("identity", ""),
            since_ms=given.get("since", 0),
            request_sid=given.get("request_sid", ""),
        )
