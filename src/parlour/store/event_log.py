"""The event log: read in the order of commits, remembered per sink, and retired.

Events are written by ``Transaction.emit`` in the transaction of their change. With one writer
their numbers grow in the order of commits, so a reader that goes on after the last number it saw
misses nothing; with several, the engine says how far a reader may go (``event_gaps.py``). A sink's
position is the number of the last event it is done with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.store.statements import statement
from parlour.vocabulary.event import Event

if TYPE_CHECKING:
    from collections.abc import Collection

    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

READ_AFTER = statement(
    "SELECT {columns} FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2", Event
)
_FIRES: Final = Event.__struct_fields__.index("fires")
WEBHOOK_SINK: Final = "webhooks"
"""The sink whose position says how far the webhook intake is."""

FETCH_POSITION = "SELECT sequence FROM sink_position WHERE sink = $1"
SAVE_POSITION = """
INSERT INTO sink_position (sink, sequence) VALUES ($1, $2)
ON CONFLICT (sink) DO UPDATE SET sequence = excluded.sequence
"""
# The names stand in the text, as they do in the conditions of the indexes.
FETCH_ATTACHED = """
SELECT sequence FROM event
 WHERE account_sid = $1 AND subject_sid = $2 AND name = 'scopedWebhookAdded' LIMIT 1
"""
# Changes of webhook settings (event_webhook_settings): the subject is whose settings they are.
HAS_WEBHOOK_CHANGES = """
SELECT 1 FROM event WHERE account_sid = $1 AND sequence >= $2
   AND name IN ('webhooksChanged', 'onConversationRemoved')
 ORDER BY sequence LIMIT 1
"""
NEXT_WEBHOOK_CHANGE = """
SELECT sequence, payload FROM event WHERE account_sid = $1 AND subject_sid = $2 AND sequence >= $3
   AND name IN ('webhooksChanged', 'onConversationRemoved')
 ORDER BY sequence LIMIT 1
"""
LAST_WEBHOOK_CHANGE = """
SELECT sequence FROM event WHERE account_sid = $1 AND subject_sid = $2
   AND name IN ('webhooksChanged', 'onConversationRemoved')
 ORDER BY sequence DESC LIMIT 1
"""
# Both read an index alone, in which rows only come at the end (event_conversations).
CONVERSATIONS_AFTER = """
SELECT sequence, conversation_sid FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2
"""
CONVERSATIONS_BEFORE = """
SELECT sequence, conversation_sid FROM event WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2
"""
# A statement has one text: what is left of the places is filled with the last number.
SEQUENCES_PER_QUERY: Final = 32
FIND_BY_SEQUENCES = statement(
    "SELECT {columns} FROM event WHERE account_sid = $1 AND sequence IN ({places})"
    " ORDER BY sequence LIMIT 32",
    Event,
    places=", ".join(f"${number}" for number in range(2, SEQUENCES_PER_QUERY + 2)),
)
NEWEST = "SELECT sequence FROM event ORDER BY sequence DESC LIMIT 1"
OLDEST = "SELECT sequence, date_ms FROM event ORDER BY sequence LIMIT $1"
DELETE_UP_TO = "DELETE FROM event WHERE sequence <= $1"


async def read_after(tx: Transaction, sequence: int, count: int) -> list[Event]:
    """The events after a number, in order; at most so many."""
    rows = await tx.all(READ_AFTER, sequence, count)
    count = tx.visible_count(sequence, [row[0] for row in rows])
    return [_event(*row) for row in rows[:count]]


def _event(*row: Any) -> Event:
    # The engines differ in how they give a truth value back.
    return Event(*(*row[:_FIRES], bool(row[_FIRES]), *row[_FIRES + 1 :]))


async def visible_through(tx: Transaction) -> int:
    """The number of the newest event before which none can be missing; 0 before the first."""
    return await tx.visible_through()


async def newest_sequence(tx: Transaction) -> int:
    """The number of the newest event of all, whether one before it is missing; 0 before it."""
    row = await tx.one(NEWEST)
    return row[0] if row else 0


async def attached_at(tx: Transaction, scope: Scope, webhook_sid: str) -> int:
    """The number of the event with which a conversation got a webhook; 0 if it is too old."""
    row = await tx.one(FETCH_ATTACHED, scope.account_sid, webhook_sid)
    return row[0] if row else 0


async def has_webhook_changes(tx: Transaction, scope: Scope, sequence: int) -> bool:
    """Return whether any webhook settings of the account changed at an event or after it."""
    return await tx.one(HAS_WEBHOOK_CHANGES, scope.account_sid, sequence) is not None


async def next_webhook_change(
    tx: Transaction, scope: Scope, owner_sid: str, sequence: int
) -> tuple[int, str] | None:
    """Return number and payload of the first change of an owner's webhooks, from an event on.

    The owner is an account, a service or a conversation. The payload has the settings before.
    """
    row = await tx.one(NEXT_WEBHOOK_CHANGE, scope.account_sid, owner_sid, sequence)
    return (row[0], row[1]) if row else None


async def webhook_change_is_pending(tx: Transaction, scope: Scope, owner_sid: str) -> bool:
    """Return whether the webhook intake is still before the last change of an owner's webhooks.

    Until it has passed, it needs the rows that the change put out of reach. An intake that never
    ran needs nothing.
    """
    position = await find_position(tx, WEBHOOK_SINK)
    row = await tx.one(LAST_WEBHOOK_CHANGE, scope.account_sid, owner_sid)
    return position is not None and row is not None and position < int(row[0])


async def conversations_after(tx: Transaction, sequence: int, count: int) -> list[tuple[int, str]]:
    """Number and conversation of the events after a number, in order; at most so many."""
    return [(row[0], row[1]) for row in await tx.all(CONVERSATIONS_AFTER, sequence, count)]


async def conversations_before(tx: Transaction, sequence: int, count: int) -> list[tuple[int, str]]:
    """Number and conversation of the events before a number, the newest first."""
    return [(row[0], row[1]) for row in await tx.all(CONVERSATIONS_BEFORE, sequence, count)]


async def find_by_sequences(tx: Transaction, scope: Scope, sequences: list[int]) -> list[Event]:
    """The events with these numbers that are the account's and still in the log, in order.

    At most SEQUENCES_PER_QUERY.
    """
    assert 0 < len(sequences) <= SEQUENCES_PER_QUERY
    places = (*sequences, *(sequences[-1:] * (SEQUENCES_PER_QUERY - len(sequences))))
    return [_event(*row) for row in await tx.all(FIND_BY_SEQUENCES, scope.account_sid, *places)]


async def oldest_sequence(tx: Transaction) -> int:
    """The number of the oldest event in the log; 0 while it is empty."""
    rows = await tx.all(OLDEST, 1)
    return rows[0][0] if rows else 0


async def find_position(tx: Transaction, sink: str) -> int | None:
    """How far a sink is; None for one that never began."""
    row = await tx.one(FETCH_POSITION, sink)
    return row[0] if row else None


async def save_position(tx: Transaction, sink: str, sequence: int) -> None:
    """Remember how far a sink is."""
    await tx.run(SAVE_POSITION, sink, sequence)


async def delete_old_events(
    tx: Transaction, sinks: Collection[str], before_ms: int, count: int
) -> int:
    """Remove the oldest events that every sink is past and that are old enough; how many.

    At most ``count`` go at once, and only from the beginning, so that the log has no gaps. The
    newest event always stays: numbers and dates go on from it.
    """
    passed = await visible_through(tx) - 1
    for sink in sinks:
        passed = min(passed, await find_position(tx, sink) or 0)
    last = number = 0
    for sequence, date_ms in await tx.all(OLDEST, count):
        if sequence > passed or date_ms >= before_ms:
            break
        last, number = sequence, number + 1
    if number:
        await tx.run(DELETE_UP_TO, last)
    return number
