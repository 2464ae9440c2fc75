"""Who sent what: requests and attempts held against the turns of the lease that they came from.

Three witnesses, none of which is the owner's own word. The database notes each new turn as its
lease is given away. The receiver has each request with the turn it was sent in and the moment it
was written (launch_with_sender_headers.py). And the log of attempts has the receiver's answer,
which repeats that turn: so it shows of each attempt in whose turn it was sent.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.checkers.webhook_receiver import Line
    from tests.support.cluster import BalancedCluster
    from tests.support.postgres_server import Postgres

LEASE = "sink webhooks"
ECHO = "/echo/x-fence"
"""The path of a receiver that answers with the turn."""

WATCH = f"""
CREATE SCHEMA witness;
CREATE TABLE witness.turn (fence BIGINT PRIMARY KEY, began DOUBLE PRECISION NOT NULL);
CREATE FUNCTION witness.begins() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO witness.turn VALUES (NEW.fence, extract(epoch FROM clock_timestamp()));
    RETURN NULL;
END $$;
CREATE TRIGGER turn_begins AFTER UPDATE ON lease FOR EACH ROW
    WHEN (NEW.name = '{LEASE}' AND NEW.fence <> OLD.fence) EXECUTE FUNCTION witness.begins();
INSERT INTO witness.turn SELECT fence, 0 FROM lease WHERE name = '{LEASE}';
"""

Turns = dict[int, float]
"""When each turn began, by its fence."""


class RecordedAttempt(NamedTuple):
    """An attempt that an owner recorded, and in whose turn its request was sent, if answered."""

    token: str
    retry_count: int
    outcome: str
    fence: int | None


def watch(postgres: Postgres, balanced: BalancedCluster) -> None:
    """Have the database note each new turn from now on."""
    postgres.sql(WATCH, balanced.servers[0].database)


def turns(balanced: BalancedCluster) -> Turns:
    """The turns so far, and the one that was when the watch began."""
    with closing(connect(balanced.servers[0])) as connection:
        return dict(connection.execute("SELECT fence, began FROM witness.turn").fetchall())


def recorded(balanced: BalancedCluster) -> list[RecordedAttempt]:
    """The attempts in the log."""
    with closing(connect(balanced.servers[0])) as connection:
        rows = connection.execute(
            "SELECT token, attempt.retry_count, outcome, answer FROM webhook_attempt AS attempt"
            " JOIN webhook_delivery USING (account_sid, event_sequence, target_key)"
        ).fetchall()
    return [RecordedAttempt(*others, int(fence) if fence else None) for *others, fence in rows]


def sender(line: Line) -> str:
    """The node that sent a request."""
    return line.headers["x-node"]


def fence_of(line: Line) -> int:
    """The turn that a request was sent in."""
    return int(line.headers["x-fence"])


def broken_turns(known: Turns, lines: Iterable[Line], log: Iterable[RecordedAttempt]) -> list[str]:
    """Everything that an owner did that was not its own to do, in words."""
    lines = list(lines)
    log = list(log)
    found = [f"unknown: a turn {fence}" for fence in {*map(fence_of, lines)} - known.keys()]
    for line in lines:
        begun = [began for fence, began in known.items() if fence > fence_of(line)]
        late = float(line.headers["x-at"]) - min(begun, default=float("inf"))
        if late > 0:
            found.append(f"superseded: {line.token} left {late:.3f} s after its turn was over")
    return found + _recorded_by_two(log) + _sent_after_recorded(lines, log)


def _recorded_by_two(log: list[RecordedAttempt]) -> list[str]:
    """What is in the log more than once."""
    by_number: dict[tuple[str, int], list[int | None]] = defaultdict(list)
    by_event: dict[str, list[int | None]] = defaultdict(list)
    for each in log:
        by_number[each.token, each.retry_count].append(each.fence)
        if each.outcome == "delivered":
            by_event[each.token].append(each.fence)
    said = [("attempt", name, fences) for name, fences in by_number.items()]
    said += [("delivery", name, fences) for name, fences in by_event.items()]
    return [
        f"two owners: {what} {name} is recorded in the turns {fences}"
        for what, name, fences in said
        if len(fences) > 1
    ]


def _sent_after_recorded(lines: list[Line], log: list[RecordedAttempt]) -> list[str]:
    """What was sent again in a later turn than the one that had recorded it."""
    recorded_in = {
        (each.token, each.retry_count): each.fence for each in log if each.fence is not None
    }
    found = []
    for line in lines:
        fence = recorded_in.get((line.token, line.retry_count))
        if fence is not None and fence_of(line) > fence:
            found.append(f"again: {line.token} was recorded in turn {fence}, {fence_of(line)} sent")
    return found


def sent_in_two_turns(lines: Iterable[Line]) -> int:
    """How many attempts were on their way when their owner fell silent, and were made again."""
    by_number: dict[tuple[str, int], set[int]] = defaultdict(set)
    for line in lines:
        by_number[line.token, line.retry_count].add(fence_of(line))
    return sum(len(fences) > 1 for fences in by_number.values())
