"""How work is shared on the embedded database: commits by actions, reads of the log by sinks."""

from __future__ import annotations

# After an action of a group failed with something written, so many groups run with a savepoint
# around each action: failing actions cost the others one group in so many.
SAVEPOINT_GROUPS = 64
# The shortest time between two reads of the event log by a sink: commits come in crowds, and a
# read for each would cost as much as the change. The first event after a pause is read at once.
SINK_PAUSE_MS = 5
# Objects made and not freed since the last look for cycles, before the next one. With Python's own
# 700 every look finds the requests in work, which are no garbage: a thirtieth of all work.
GARBAGE_OBJECTS = 5_000
