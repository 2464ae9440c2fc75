"""The lease checker: requests and attempts compared with the lease terms of their senders.

Three sources are independent of the owner. A trigger in the database records each new term at its
start. The receiver records each request with its term and the time at which it was written
(launch_with_sender_headers.py). The log of attempts contains the receiver's response, which
repeats that term, and so shows in which term the request of each attempt was sent.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.checkers.webhook_receiver import Line
    from tests.support.cluster import BalancedCluster, Cluster
    from tests.support.postgres_server import Postgres

LEASE = "sink webhooks"
ECHO = "/echo/x-fence"
"""The path of a receiver that responds with the term."""

WATCH = """
CREATE SCHEMA witness;
CREATE TABLE witness.lease_term (fence BIGINT PRIMARY KEY, began DOUBLE PRECISION NOT NULL);
CREATE FUNCTION witness.begins() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO witness.lease_term VALUES (NEW.fence, extract(epoch FROM clock_timestamp()));
    RETURN NULL;
END $$;
CREATE TRIGGER turn_begins AFTER UPDATE ON lease FOR EACH ROW
    WHEN (NEW.name = '{lease}' AND NEW.fence <> OLD.fence) EXECUTE FUNCTION witness.begins();
INSERT INTO witness.lease_term SELECT fence, 0 FROM lease WHERE name = '{lease}';
"""

LeaseTerms = dict[int, float]
"""The start of each term, by its fence."""


class RecordedAttempt(NamedTuple):
    """A recorded attempt, and the term in which its request was sent, if it had a response."""

    token: str
    retry_count: int
    outcome: str
    fence: int | None


def watch(postgres: Postgres, balanced: BalancedCluster | Cluster, lease: str = LEASE) -> None:
    """Install a trigger that records each new term of a lease."""
    postgres.sql(WATCH.format(lease=lease), balanced.servers[0].database)


def lease_terms(balanced: BalancedCluster | Cluster) -> LeaseTerms:
    """Return the terms so far, including the one at the start of the watch."""
    with closing(connect(balanced.servers[0])) as connection:
        return dict(connection.execute("SELECT fence, began FROM witness.lease_term").fetchall())


def recorded(balanced: BalancedCluster) -> list[RecordedAttempt]:
    """Return the attempts in the log."""
    with closing(connect(balanced.servers[0])) as connection:
        rows = connection.execute(
            "SELECT token, attempt.retry_count, outcome, answer FROM webhook_attempt AS attempt"
            " JOIN webhook_delivery USING (account_sid, event_sequence, target_key)"
        ).fetchall()
    return [RecordedAttempt(*others, int(fence) if fence else None) for *others, fence in rows]


def sender(line: Line) -> str:
    """Return the node that sent a request."""
    return line.headers["x-node"]


def fence_of(line: Line) -> int:
    """Return the fence of the term in which a request was sent."""
    return int(line.headers["x-fence"])


def term_violations(
    known: LeaseTerms, lines: Iterable[Line], log: Iterable[RecordedAttempt]
) -> list[str]:
    """Return a message for each action outside the actor's lease term."""
    lines = list(lines)
    log = list(log)
    found = [f"unknown: a lease term {fence}" for fence in {*map(fence_of, lines)} - known.keys()]
    for line in lines:
        starts = [start for fence, start in known.items() if fence > fence_of(line)]
        late = float(line.headers["x-at"]) - min(starts, default=float("inf"))
        if late > 0:
            found.append(f"superseded: {line.token} left {late:.3f} s after its lease term ended")
    return found + _recorded_by_two(log) + _sent_after_recorded(lines, log)


def _recorded_by_two(log: list[RecordedAttempt]) -> list[str]:
    """Return attempts and deliveries recorded more than once."""
    by_number: dict[tuple[str, int], list[int | None]] = defaultdict(list)
    by_event: dict[str, list[int | None]] = defaultdict(list)
    for each in log:
        by_number[each.token, each.retry_count].append(each.fence)
        if each.outcome == "delivered":
            by_event[each.token].append(each.fence)
    records = [("attempt", name, fences) for name, fences in by_number.items()]
    records += [("delivery", name, fences) for name, fences in by_event.items()]
    return [
        f"two owners: {what} {name} is recorded in the lease terms {fences}"
        for what, name, fences in records
        if len(fences) > 1
    ]


def _sent_after_recorded(lines: list[Line], log: list[RecordedAttempt]) -> list[str]:
    """Return attempts sent again in a later term than the one that had recorded them."""
    recorded_in = {
        (each.token, each.retry_count): each.fence for each in log if each.fence is not None
    }
    found = []
    for line in lines:
        fence = recorded_in.get((line.token, line.retry_count))
        if fence is not None and fence_of(line) > fence:
            found.append(f"again: {line.token} was recorded in term {fence}, {fence_of(line)} sent")
    return found


def sent_in_two_terms(lines: Iterable[Line]) -> int:
    """Return how many attempts were in flight when their owner failed, and were sent again."""
    by_number: dict[tuple[str, int], set[int]] = defaultdict(set)
    for line in lines:
        by_number[line.token, line.retry_count].add(fence_of(line))
    return sum(len(fences) > 1 for fences in by_number.values())
