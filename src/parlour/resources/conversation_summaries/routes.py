"""The list of summaries of conversations, an extension of Parlour beyond the hosted API."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, list_
from parlour.resources.conversation_summaries import actions as conversation_summary_actions
from parlour.resources.conversation_summaries import parameters as conversation_summary_parameters
from parlour.resources.conversation_summaries import (
    representation as conversation_summary_representation,
)
from parlour.vocabulary import limits

CONVERSATION_SUMMARIES = Collection(
    noun="ConversationSummary",
    version="/parlour/v1",
    path="/ConversationSummaries",
    url_forms=ACCOUNT_ONLY,
    represent=conversation_summary_representation.resource,
    specs=(
        list_(
            conversation_summary_actions.list_conversation_summaries,
            key="conversation_summaries",
            maximum=limits.PAGE_SIZE_SUMMARIES_MAX,
            parameters=conversation_summary_parameters.ListConversationSummaries,
            shows_cursor=True,
        ),
    ),
    listed=False,
)
