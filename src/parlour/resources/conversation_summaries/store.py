"""Statements of summaries: counts and last messages of a whole page, each in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.resources.conversations.store import Conversation
from parlour.store.statements import statement, window
from parlour.store.windows import read_window
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Row, Transaction
    from parlour.vocabulary.scope import Scope


class LastMessage(msgspec.Struct, frozen=True):
    """The newest message of a conversation, with the beginning of its body."""

    conversation_sid: str
    sid: str
    message_index: int
    author: str
    body: str | None
    has_media: bool
    date_created: int


# A usual page, with the row more that shows whether another page follows. For many more places
# PostgreSQL would rather read a whole table of a few thousand messages.
_SIDS_PER_QUERY: Final = limits.PAGE_SIZE_DEFAULT + 1


def _places(count: int) -> str:
    """Return the places of a number of SIDs, after the place of the account."""
    return ", ".join(f"${number}" for number in range(2, 2 + count))


# A deleted service leaves rows until they are purged.
LIST_BY_SIDS = window(
    statement(
        "SELECT {columns} FROM conversation WHERE account_sid = $1 AND sid IN ({places})"
        " AND EXISTS (SELECT 1 FROM service"
        " WHERE service.account_sid = $1 AND service.sid = conversation.service_sid)",
        Conversation,
        places=_places(limits.SUMMARY_SIDS_MAX),
    ),
    Conversation,
    order="last_activity",
    arguments=1 + limits.SUMMARY_SIDS_MAX,
    descending=True,
)
COUNT_PARTICIPANTS = statement(
    "SELECT conversation_sid, COUNT(*) FROM participant"
    " WHERE account_sid = $1 AND conversation_sid IN ({places})"
    " GROUP BY conversation_sid LIMIT {count}",
    places=_places(_SIDS_PER_QUERY),
    count=str(_SIDS_PER_QUERY),
)
# From each conversation to one end of the index of its messages, whose number does not matter.
LAST_MESSAGES = statement(
    "SELECT page.sid, message.sid, message.message_index, message.author,"
    " SUBSTR(message.body, 1, {characters}), message.media IS NOT NULL, message.date_created"
    " FROM (SELECT conversation.sid AS sid, (SELECT MAX(newest.message_index)"
    " FROM message AS newest WHERE newest.account_sid = $1"
    " AND newest.conversation_sid = conversation.sid) AS last_index FROM conversation"
    " WHERE conversation.account_sid = $1 AND conversation.sid IN ({places}) LIMIT {count}) AS page"
    " JOIN message ON message.account_sid = $1 AND message.conversation_sid = page.sid"
    " AND message.message_index = page.last_index",
    characters=str(limits.SUMMARY_BODY_CHARS_MAX),
    places=_places(_SIDS_PER_QUERY),
    count=str(_SIDS_PER_QUERY),
)


def _padded(found: list[str], count: int) -> list[str]:
    """Return SIDs for each place of a statement: the last one fills the unused places."""
    assert 0 < len(found) <= count
    return found + found[-1:] * (count - len(found))


async def list_conversations_by_sids(
    tx: Transaction, scope: Scope, sids: list[str], request: PageRequest
) -> list[Conversation]:
    """Return conversations of the account, by last activity in descending order."""
    places = _padded(sids, limits.SUMMARY_SIDS_MAX)
    rows = await read_window(tx, LIST_BY_SIDS, request, scope.account_sid, *places)
    return [Conversation(*row) for row in rows]


async def count_participants(
    tx: Transaction, scope: Scope, conversation_sids: list[str]
) -> dict[str, int]:
    """Return the number of participants of each conversation that has some."""
    rows = await _rows_of(tx, scope, COUNT_PARTICIPANTS, conversation_sids)
    return {row[0]: row[1] for row in rows}


async def last_messages(
    tx: Transaction, scope: Scope, conversation_sids: list[str]
) -> dict[str, LastMessage]:
    """Return the newest message of each conversation that has messages."""
    rows = await _rows_of(tx, scope, LAST_MESSAGES, conversation_sids)
    # SQLite returns a boolean as an integer.
    return {row[0]: LastMessage(*(*row[:5], bool(row[5]), row[6])) for row in rows}


async def _rows_of(
    tx: Transaction, scope: Scope, text: str, conversation_sids: list[str]
) -> list[Row]:
    """Return the rows of all conversations; one statement for a usual page."""
    found: list[Row] = []
    for first in range(0, len(conversation_sids), _SIDS_PER_QUERY):
        some = conversation_sids[first : first + _SIDS_PER_QUERY]
        found += await tx.all(text, scope.account_sid, *_padded(some, _SIDS_PER_QUERY))
    return found
