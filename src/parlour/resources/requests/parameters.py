"""Parameters of the journal of requests: the filters and the wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations import request_journal
from parlour.operations.parameters import form_field
from parlour.operations.request_journal import RequestFilters
from parlour.operations.waiting_lists import WaitParameters
from parlour.protocol import parsers, timestamps
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

_name = parsers.text(limits.EVENT_FILTER_CHARS_MAX)


class ListRequests(WaitParameters):
    """Filters of the list, combined by AND."""

    operation: str | Unset = form_field("Operation", _name)
    status: int | Unset = form_field("Status", parsers.integer())
    code: int | Unset = form_field("Code", parsers.integer())
    source: str | Unset = form_field("Source", parsers.enum(*request_journal.SOURCES))
    identity: str | Unset = form_field("Identity", _name)
    conversation_sid: str | Unset = form_field("ConversationSid", parsers.sid(sids.CONVERSATION))
    since: int | Unset = form_field("Since", timestamps.timestamp())
    until: int | Unset = form_field("Until", timestamps.timestamp())
    after: str | Unset = form_field("After", parsers.sid(sids.REQUEST))

    def filters(self) -> RequestFilters:
        """Return the filters of the journal."""
        given = self.given()
        names = RequestFilters.__struct_fields__
        return RequestFilters(**{name: given[name] for name in names if name in given})
