"""Statements of the event feed: the events of one account in a range of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store import event_log
from parlour.store.statements import statement
from parlour.vocabulary import event_names
from parlour.vocabulary.event import Event

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_NAMES: Final = len(event_names.POST_ACTION)
_FIRST_NAME: Final = 9
# The range bounds the number of rows that are read: there is no index by account.
LIST = statement(
    "SELECT {columns} FROM event WHERE sequence > $1 AND sequence <= $2 AND account_sid = $3"
    " AND ($4 = '' OR conversation_sid = $4) AND ($5 = '' OR source = $5)"
    " AND ($6 = '' OR client_identity = $6) AND date_ms >= $7 AND name IN ({names})"
    " AND ($8 = '' OR payload LIKE $8)"
    " ORDER BY sequence LIMIT {count}",
    Event,
    names=", ".join(f"${number}" for number in range(_FIRST_NAME, _FIRST_NAME + _NAMES)),
    count=f"${_FIRST_NAME + _NAMES}",
)


class EventFilters(msgspec.Struct, frozen=True):
    """Filters of events, combined by AND; an empty one matches any."""

    names: tuple[str, ...] = ()
    conversation_sid: str = ""
    source: str = ""
    identity: str = ""
    since_ms: int = 0
    request_sid: str = ""

    @property
    def payload_pattern(self) -> str:
        """The pattern of the payloads; quotes in texts of a payload are escaped."""
        return f'%"request_sid":"{self.request_sid}"}}' if self.request_sid else ""


async def list_events(
    tx: Transaction, scope: Scope, filters: EventFilters, *, after: int, through: int, count: int
) -> list[Event]:
    """Return the events with numbers above ``after`` up to ``through``, at most ``count``.

    All of them must be visible.
    """
    names = filters.names or event_names.POST_ACTION
    rows = await tx.all(
        LIST,
        after,
        through,
        scope.account_sid,
        filters.conversation_sid,
        filters.source,
        filters.identity,
        filters.since_ms,
        filters.payload_pattern,
        *names,
        *(names[-1:] * (_NAMES - len(names))),
        count,
    )
    return [event_log.event_of(row) for row in rows]
