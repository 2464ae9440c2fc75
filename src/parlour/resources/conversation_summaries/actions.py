"""Actions on summaries of conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations import scoping
from parlour.operations.call import Rows
from parlour.resources.configuration import store as configuration_store
from parlour.resources.conversation_summaries import store as conversation_summary_store
from parlour.resources.conversations import actions as conversation_actions
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.conversation_summaries.parameters import ListConversationSummaries
    from parlour.resources.conversation_summaries.store import LastMessage
    from parlour.resources.conversations.store import Conversation
    from parlour.store.transaction import Transaction


class ConversationSummary(msgspec.Struct, frozen=True):
    """A conversation with what a list of conversations shows of it."""

    conversation: Conversation
    participants_count: int
    last_message: LastMessage | None

    @property
    def sid(self) -> str:
        """The SID of the conversation."""
        return self.conversation.sid

    @property
    def last_activity(self) -> int:
        """The order of the list without filters."""
        return self.conversation.last_activity

    @property
    def created_order(self) -> int:
        """The order of the list with filters."""
        return self.conversation.created_order


async def list_conversation_summaries(
    tx: Transaction, call: Call[ListConversationSummaries]
) -> Rows:
    """Return a page of summaries in the order of the list of conversations.

    SIDs that the account does not have are left out. Raises 20001 for SIDs with other filters or
    too many of them, and 50050 for an unknown service.
    """
    given = call.parameters.given()
    if chosen := given.pop("sid", None):
        if given:
            raise ApiError(20001, "Sid cannot be combined with other filters.")
        found = await _listed_by_sids(tx, call, list(dict.fromkeys(chosen)))
    else:
        scope = await _service_scope(tx, call.scope, given.get("service_sid"))
        found = await conversation_actions.list_filtered(
            tx, scope, call.parameters, call.page_request
        )
    return msgspec.structs.replace(found, records=await _summaries(tx, call.scope, found.records))


async def _listed_by_sids(
    tx: Transaction, call: Call[ListConversationSummaries], chosen: list[str]
) -> Rows:
    if len(chosen) > limits.SUMMARY_SIDS_MAX:
        raise ApiError(20001, f"At most {limits.SUMMARY_SIDS_MAX} values of Sid are possible.")
    found = await conversation_summary_store.list_conversations_by_sids(
        tx, call.scope, chosen, call.page_request
    )
    return Rows(found, order="last_activity")


async def _service_scope(tx: Transaction, scope: Scope, service_sid: str | None) -> Scope:
    if service_sid is None:
        settings = await configuration_store.get_configuration(tx, scope)
        return Scope(scope.account_sid, settings.default_chat_service_sid)
    in_service = Scope(scope.account_sid, service_sid)
    if not await scoping.service_exists(tx, in_service):
        raise ApiError(50050, status=400)
    return in_service


async def _summaries(
    tx: Transaction, scope: Scope, conversations: list[Conversation]
) -> list[ConversationSummary]:
    if not conversations:
        return []
    sids = [each.sid for each in conversations]
    counts = await conversation_summary_store.count_participants(tx, scope, sids)
    messages = await conversation_summary_store.last_messages(tx, scope, sids)
    return [
        ConversationSummary(each, counts.get(each.sid, 0), messages.get(each.sid))
        for each in conversations
    ]
