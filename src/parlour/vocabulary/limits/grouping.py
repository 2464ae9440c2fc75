"""Batching on the embedded database: group commits, and reads of the event log by sinks."""

from __future__ import annotations

# Groups that run with a savepoint around each action after an action failed with uncommitted
# writes, which costs the others one rollback.
SAVEPOINT_GROUPS = 64
# Minimum interval between two reads of the event log by a sink: commits come in bursts, and one
# read for each would cost as much as the change. The first event after a pause is read at once.
SINK_PAUSE_MS = 5
# Allocations between two runs of the garbage collector. With Python's default of 700 every run
# traverses the requests in flight, which costs a thirtieth of all CPU time.
GARBAGE_OBJECTS = 5_000
