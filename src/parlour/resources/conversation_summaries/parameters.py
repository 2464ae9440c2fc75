"""Parameters of the list of summaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.parameters import form_field
from parlour.protocol import parsers
from parlour.resources.conversations.parameters import ListConversations
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset


class ListConversationSummaries(ListConversations):
    """The filters of the list of conversations and the service; or SIDs, of any service."""

    service_sid: str | Unset = form_field("ServiceSid", parsers.sid(sids.SERVICE))
    sid: list[str] | Unset = form_field("Sid", parsers.sid(sids.CONVERSATION), repeated=True)
