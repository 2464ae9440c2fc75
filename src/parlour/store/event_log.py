"""The event log: read in the order of commits, with a position for each sink, and a retention time.

``Transaction.emit`` writes an event in the transaction of its change. A consumer reads the events
after its last number. With one writer, numbers follow the order of commits, so it misses none; with
several writers, ``Transaction.visible_count`` limits each batch to the safe high-water mark
(``postgres/event_gaps.py``).

A sink's position is the number of the last event that it has processed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.store.statements import statement
from parlour.vocabulary import event_names
from parlour.vocabulary.event import Event

if TYPE_CHECKING:
    from collections.abc import Collection

    from parlour.store.transaction import Row, Transaction
    from parlour.vocabulary.scope import Scope

READ_AFTER = statement(
    "SELECT {columns} FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2", Event
)
NAMES_AFTER = """
SELECT sequence, account_sid, name FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2
"""
_FIRES: Final = Event.__struct_fields__.index("fires")
WEBHOOK_SINK: Final = "webhooks"
"""The sink of the webhook intake."""

FETCH_POSITION = "SELECT sequence FROM sink_position WHERE sink = $1"
SAVE_POSITION = """
INSERT INTO sink_position (sink, sequence) VALUES ($1, $2)
ON CONFLICT (sink) DO UPDATE SET sequence = excluded.sequence
"""
# Event names are literals, so that the partial indexes with the same conditions are used.
FETCH_ATTACHED = """
SELECT sequence FROM event
 WHERE account_sid = $1 AND subject_sid = $2 AND name = 'scopedWebhookAdded' LIMIT 1
"""
# Changes of webhook settings (index event_webhook_settings): the subject is their owner.
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
# Both are index-only scans (index event_conversations).
CONVERSATIONS_AFTER = """
SELECT sequence, conversation_sid FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2
"""
CONVERSATIONS_BEFORE = """
SELECT sequence, conversation_sid FROM event WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2
"""
# One text for any number of events: the last number fills the unused parameters.
SEQUENCES_PER_QUERY: Final = 32
FIND_BY_SEQUENCES = statement(
    "SELECT {columns} FROM event WHERE account_sid = $1 AND sequence IN ({places})"
    " ORDER BY sequence LIMIT 32",
    Event,
    places=", ".join(f"${number}" for number in range(2, SEQUENCES_PER_QUERY + 2)),
)
NEWEST = "SELECT sequence FROM event ORDER BY sequence DESC LIMIT 1"
OLDEST = "SELECT sequence, date_ms FROM event ORDER BY sequence LIMIT $1"
FIRST_FROM = "SELECT sequence, date_ms FROM event WHERE sequence >= $1 ORDER BY sequence LIMIT 1"
DELETE_UP_TO = "DELETE FROM event WHERE sequence <= $1"


async def read_after(tx: Transaction, sequence: int, count: int) -> list[Event]:
    """Return the visible events after a number, in order; at most ``count``."""
    rows = await tx.all(READ_AFTER, sequence, count)
    count = tx.visible_count(sequence, [row[0] for row in rows])
    return [event_of(row) for row in rows[:count]]


async def names_after(tx: Transaction, sequence: int, count: int) -> list[tuple[int, str, str]]:
    """Return number, account and name of the visible events after a number, at most ``count``."""
    rows = await tx.all(NAMES_AFTER, sequence, count)
    count = tx.visible_count(sequence, [row[0] for row in rows])
    return [(row[0], row[1], row[2]) for row in rows[:count]]


def event_of(row: Row) -> Event:
    """Return the event of a row."""
    # SQLite returns a boolean as an integer.
    return Event(*(*row[:_FIRES], bool(row[_FIRES]), *row[_FIRES + 1 :]))


async def visible_through(tx: Transaction) -> int:
    """Return the safe high-water mark of the log; 0 before the first event."""
    return await tx.visible_through()


async def newest_sequence(tx: Transaction) -> int:
    """Return the number of the newest event, visible or not; 0 before the first."""
    row = await tx.one(NEWEST)
    return row[0] if row else 0


async def attached_at(tx: Transaction, scope: Scope, webhook_sid: str) -> int:
    """Return the number of the event that added a webhook; 0 if it is no longer in the log."""
    row = await tx.one(FETCH_ATTACHED, scope.account_sid, webhook_sid)
    return row[0] if row else 0


async def has_webhook_changes(tx: Transaction, scope: Scope, sequence: int) -> bool:
    """Return whether any webhook settings of the account changed at an event or after it."""
    return await tx.one(HAS_WEBHOOK_CHANGES, scope.account_sid, sequence) is not None


async def emit_webhook_change(
    tx: Transaction, scope: Scope, owner_sid: str, before: object
) -> None:
    """Record the webhook settings of an owner before a change, in the transaction of the change.

    The webhook intake applies them to events that were committed earlier.
    """
    await tx.emit(
        scope, event_names.WEBHOOKS_CHANGED, subject_sid=owner_sid, payload={"before": before}
    )


async def next_webhook_change(
    tx: Transaction, scope: Scope, owner_sid: str, sequence: int
) -> tuple[int, str] | None:
    """Return number and payload of the first change of an owner's webhooks, from an event on.

    The owner is an account, a service or a conversation. The payload has the settings before.
    """
    row = await tx.one(NEXT_WEBHOOK_CHANGE, scope.account_sid, owner_sid, sequence)
    return (row[0], row[1]) if row else None


async def webhook_change_is_pending(tx: Transaction, scope: Scope, owner_sid: str) -> bool:
    """Return whether the webhook intake has yet to process the last change of an owner's webhooks.

    Until then it needs the rows of the settings before the change. An intake without a position
    needs none.
    """
    position = await find_position(tx, WEBHOOK_SINK)
    row = await tx.one(LAST_WEBHOOK_CHANGE, scope.account_sid, owner_sid)
    return position is not None and row is not None and position < int(row[0])


async def conversations_after(tx: Transaction, sequence: int, count: int) -> list[tuple[int, str]]:
    """Return number and conversation of the events after a number, at most ``count``."""
    return [(row[0], row[1]) for row in await tx.all(CONVERSATIONS_AFTER, sequence, count)]


async def conversations_before(tx: Transaction, sequence: int, count: int) -> list[tuple[int, str]]:
    """Return number and conversation of the events before a number, the newest first."""
    return [(row[0], row[1]) for row in await tx.all(CONVERSATIONS_BEFORE, sequence, count)]


async def find_by_sequences(tx: Transaction, scope: Scope, sequences: list[int]) -> list[Event]:
    """Return the events with these numbers that are the account's and in the log, in order.

    At most SEQUENCES_PER_QUERY.
    """
    assert 0 < len(sequences) <= SEQUENCES_PER_QUERY
    numbers = (*sequences, *(sequences[-1:] * (SEQUENCES_PER_QUERY - len(sequences))))
    return [event_of(row) for row in await tx.all(FIND_BY_SEQUENCES, scope.account_sid, *numbers)]


async def oldest_sequence(tx: Transaction) -> int:
    """Return the number of the oldest event in the log; 0 while it is empty."""
    rows = await tx.all(OLDEST, 1)
    return rows[0][0] if rows else 0


async def sequence_before(tx: Transaction, date_ms: int) -> int:
    """Return the number after which the events of a date and of later dates follow.

    A binary search, as dates ascend with the numbers and have no index.
    """
    low, high = await oldest_sequence(tx), await visible_through(tx) + 1
    while low < high:
        middle = (low + high) // 2
        row = await tx.one(FIRST_FROM, middle)
        if row is None or row[1] >= date_ms:
            high = middle
        else:
            low = row[0] + 1
    return max(low - 1, 0)


async def find_position(tx: Transaction, sink: str) -> int | None:
    """Return the position of a sink; None if it has none yet."""
    row = await tx.one(FETCH_POSITION, sink)
    return row[0] if row else None


async def save_position(tx: Transaction, sink: str, sequence: int) -> None:
    """Store the position of a sink."""
    await tx.run(SAVE_POSITION, sink, sequence)


# Invariants:
#
# - An event is deleted only if the positions of all sinks are at or above it.
# - Events are deleted only from the beginning, so that the log has no holes.
# - The newest event is never deleted, since its number and date are continued from.
async def delete_old_events(
    tx: Transaction, sinks: Collection[str], before_ms: int, count: int
) -> int:
    """Delete the oldest events that all sinks have processed and that are old; return how many.

    At most ``count``, each with a date before ``before_ms``.
    """
    # Minus one: the newest event stays.
    deletable = await visible_through(tx) - 1
    # A sink without a position has processed nothing, so nothing is deletable.
    for sink in sinks:
        deletable = min(deletable, await find_position(tx, sink) or 0)
    last = number = 0
    for sequence, date_ms in await tx.all(OLDEST, count):
        # Stop at the first: a hole in the log would look like a gap to readers.
        if sequence > deletable or date_ms >= before_ms:
            break
        last, number = sequence, number + 1
    if number:
        await tx.run(DELETE_UP_TO, last)
    return number
