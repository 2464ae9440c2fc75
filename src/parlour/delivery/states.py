"""The states of webhook delivery, their legal transitions, and which part causes each.

A *delivery* is one event for one webhook: a row, whose state is a column. A *lane* is one URL and
one conversation: its deliveries are sent one at a time, in order. An *endpoint* is one URL of one
account. Lanes and endpoints are in memory only, in one lease term; *sync* is whether that memory
agrees with the rows. The states and causes below are checked against the running code: lanes and
endpoints by ``tests/unit/delivery/test_states.py``, deliveries and sync by
``test_delivery_states.py`` next to it. A transition that is not listed fails the test, and so does
one that is listed and never happens. Transitions of a delivery's state to itself are not checked.
The column "by" is checked against the caller for sync, otherwise against the model of the tests.

Delivery (``DeliveryState``, column ``state``; only a pending one is ever sent):

| state     | cause                         | becomes   | by               |
|-----------|-------------------------------|-----------|------------------|
| absent    | event matched                 | pending   | intake           |
| absent    | pre-action request made       | asked     | result writer    |
| pending   | 2xx                           | delivered | result writer    |
| pending   | failure, retry follows        | pending   | result writer    |
| pending   | failure, no retry follows     | failed    | result writer    |
| pending   | 410, or webhook detached      | stopped   | result writer    |
| pending   | webhook detached              | stopped   | intake           |
| pending   | too many pending              | dropped   | intake           |
| pending   | term start, or clock set back | pending   | due poller       |
| pending   | replayed                      | pending   | replay operation |
| delivered | replayed                      | pending   | replay operation |
| failed    | replayed                      | pending   | replay operation |
| stopped   | replayed                      | pending   | replay operation |
| dropped   | replayed                      | pending   | replay operation |
| any other | retention time is over        | absent    | retention job    |

"Any other" is every state but pending, ``asked`` included. An asked one cannot be replayed. A retry
of an endpoint makes pending deliveries due, as a replay does.

Lane (``Lane.state``):

| state     | cause                       | becomes   | by                       |
|-----------|-----------------------------|-----------|--------------------------|
| absent    | queued                      | ready     | intake                   |
| absent    | loaded                      | ready     | due poller               |
| ready     | slot granted                | sending   | sender                   |
| sending   | attempt done                | ready     | sender                   |
| sending   | attempt done, none is left  | recording | sender                   |
| sending   | attempt failed              | blocked   | sender                   |
| recording | queued                      | ready     | intake                   |
| recording | loaded                      | ready     | due poller               |
| recording | recorded, more on disk      | refilling | result writer            |
| recording | recorded, nothing on disk   | absent    | result writer            |
| refilling | refilled                    | ready     | result writer            |
| refilling | loaded                      | ready     | due poller               |
| refilling | nothing found               | recording | result writer            |
| refilling | nothing found               | absent    | result writer            |
| refilling | loaded, all of it done      | absent    | due poller               |
| blocked   | recorded                    | absent    | result writer            |
| ready     | invalidated                 | recording | intake, result writer    |
| ready     | invalidated                 | absent    | intake, result writer    |
| refilling | invalidated                 | recording | intake, result writer    |
| refilling | invalidated                 | absent    | intake, result writer    |

A lane becomes absent only once all its results are recorded; until then it is recording. An absent
lane may have deliveries on disk: then its endpoint is scheduled for a poll.

Endpoint (``Endpoint.state``; the number of its requests is in ``endpoints.py``):

| state     | cause                         | becomes   | by                                |
|-----------|-------------------------------|-----------|-----------------------------------|
| absent    | queued                        | answering | intake                            |
| absent    | found on disk                 | answering | due poller                        |
| answering | timed out                     | hanging   | sender                            |
| hanging   | delivery ended, not timed out | answering | sender                            |
| answering | no deliveries left            | absent    | result writer, due poller, intake |
| hanging   | no deliveries left            | absent    | result writer, due poller, intake |
| answering | evicted                       | absent    | intake, due poller                |
| hanging   | evicted                       | absent    | intake, due poller                |

Sync (``DeliveryTerm.sync``):

| state          | cause                    | becomes        | by            |
|----------------|--------------------------|----------------|---------------|
| synced         | intake commit unknown    | intake unknown | intake        |
| resync         | intake commit unknown    | intake unknown | intake        |
| intake unknown | intake repeated          | resync         | intake        |
| synced         | result write failed      | resync         | result writer |
| synced         | refill of a lane failed  | resync         | result writer |
| resync         | memory rebuilt           | synced         | result writer |

A commit is unknown when the connection to the database broke before the response. While a commit of
the intake is unknown, the memory is not rebuilt: the transaction may still be running. Only its
repetition, which waits for it, shows which rows exist.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from parlour.store.webhook_queue import DeliveryState


class LaneState(Enum):
    """The state of a lane in memory."""

    # The invariants of each state are at ``Lane``.

    ABSENT = "absent"
    READY = "ready"
    SENDING = "sending"
    BLOCKED = "blocked"
    RECORDING = "recording"
    REFILLING = "refilling"


class EndpointState(Enum):
    """The state of an endpoint in memory."""

    # The number of requests in each state is at ``Endpoint``.

    ABSENT = "absent"
    ANSWERING = "answering"
    HANGING = "hanging"


class SyncState(Enum):
    """Whether the memory of a term agrees with the rows on disk."""

    # SYNCED          it does
    # INTAKE_UNKNOWN  a commit of the intake may or may not have happened; repeat it
    # RESYNC          it may not; the result writer rebuilds it after its next batch

    SYNCED = "synced"
    INTAKE_UNKNOWN = "intake unknown"
    RESYNC = "resync"


class Part(Enum):
    """A part of the software that causes transitions."""

    INTAKE = "intake"
    SENDER = "sender"
    RESULT_WRITER = "result writer"
    DUE_POLLER = "due poller"
    REPLAY = "replay operation"
    RETENTION = "retention job"


class Transition(NamedTuple):
    """A legal change of a state, and the part that makes it."""

    state: Enum
    becomes: Enum
    by: Part


def _transitions(states: type[Enum], table: str) -> frozenset[Transition]:
    """Read lines of ``state > state: part, part``."""
    found = set()
    for line in table.strip().splitlines():
        change, _, parts = line.partition(":")
        old, _, new = change.partition(">")
        for part in parts.split(","):
            before, after = states(old.strip()), states(new.strip())
            found.add(Transition(before, after, Part(part.strip())))
    return frozenset(found)


# The tables above as data. Names of parts and states are the values of the enums; a misspelt one
# fails at import.
DELIVERY_TRANSITIONS: Final = _transitions(
    DeliveryState,
    """
absent > pending: intake
absent > asked: result writer
pending > delivered: result writer
pending > failed: result writer
pending > stopped: result writer, intake
pending > dropped: intake
pending > pending: result writer, due poller, replay operation
delivered > pending: replay operation
failed > pending: replay operation
stopped > pending: replay operation
dropped > pending: replay operation
delivered > absent: retention job
failed > absent: retention job
stopped > absent: retention job
dropped > absent: retention job
asked > absent: retention job
""",
)
LANE_TRANSITIONS: Final = _transitions(
    LaneState,
    """
absent > ready: intake, due poller
ready > sending: sender
sending > ready: sender
sending > recording: sender
sending > blocked: sender
recording > ready: intake, due poller
recording > refilling: result writer
recording > absent: result writer
refilling > ready: result writer, due poller
refilling > recording: result writer, intake
refilling > absent: result writer, intake, due poller
blocked > absent: result writer
ready > recording: intake, result writer
ready > absent: intake, result writer
""",
)
ENDPOINT_TRANSITIONS: Final = _transitions(
    EndpointState,
    """
absent > answering: intake, due poller
answering > hanging: sender
hanging > answering: sender
answering > absent: result writer, due poller, intake
hanging > absent: result writer, due poller, intake
""",
)
SYNC_TRANSITIONS: Final = _transitions(
    SyncState,
    """
synced > intake unknown: intake
resync > intake unknown: intake
intake unknown > resync: intake
synced > resync: result writer
resync > synced: result writer
""",
)
