"""The states of an HTTP connection, and its legal transitions.

``HttpConnections`` checks the deadlines.

=======  ==========================  ==================================  ==========================
state    bytes that arrive           next state                          deadline, and what follows
=======  ==========================  ==================================  ==========================
IDLE     begin a head                HEAD; ACTIVE with a whole head;     KEEP_ALIVE_SECONDS (new:
                                     LINGER if they are no request       HEAD_SECONDS_MAX): closed
HEAD     continue the head           ACTIVE, LINGER                      HEAD_SECONDS_MAX: closed
ACTIVE   belong to the body, or are  when the response is with the       the body: as long as
         read ahead of the active    kernel: QUEUED, IDLE, DRAIN,        REQUEST_SECONDS_MAX, then
         request (then reading is    LINGER, CLOSED                      408; the response:
         paused)                                                         SEND_STALL_SECONDS_MAX to
                                                                         twice that: aborted
QUEUED   are read ahead              IDLE, in the next turn of the loop  none
DRAIN    are the rest of a body      QUEUED, IDLE; LINGER beyond         REQUEST_SECONDS_MAX: closed
         that was not read, and      BODY_BYTES_MAX
         discarded
LINGER   are discarded: the client   CLOSED with the client's end or     LINGER_SECONDS_MAX: closed
         can read the response       the end of the body
CLOSED   none                        none                                none
=======  ==========================  ==================================  ==========================

CLOSED follows any state when the client has disconnected or the buffer pool cuts the connection;
and IDLE, HEAD, DRAIN and LINGER when the server stops.

Owners of the transitions: ``connection.py`` for heads and responses, ``lingering_close.py`` for
DRAIN and LINGER, ``flow_control.py`` for CLOSED.
"""

from __future__ import annotations

from typing import Final

# Integers in this order, because the hot paths compare them: <= HEAD expects a head, <= QUEUED has
# or will have a request.
IDLE: Final = 0
HEAD: Final = 1
ACTIVE: Final = 2
QUEUED: Final = 3
DRAIN: Final = 4
LINGER: Final = 5
CLOSED: Final = 6

NAMES: Final = ("IDLE", "HEAD", "ACTIVE", "QUEUED", "DRAIN", "LINGER", "CLOSED")

# Three cycles and one end:
#
#   IDLE -> HEAD -> ACTIVE -> IDLE              one request after the other (keep-alive)
#   IDLE -> ACTIVE -> QUEUED -> IDLE            pipelined requests
#   ACTIVE -> DRAIN -> IDLE                     the response came before the end of the body
#   ACTIVE, HEAD, IDLE, DRAIN -> LINGER         the connection ends, and the client still sends
#
# tests/unit/http/test_states.py checks every transition of random connections against this table.
NEXT: Final[dict[int, frozenset[int]]] = {
    IDLE: frozenset({HEAD, ACTIVE, LINGER}),
    HEAD: frozenset({ACTIVE, LINGER}),
    ACTIVE: frozenset({QUEUED, IDLE, DRAIN, LINGER}),
    QUEUED: frozenset({IDLE}),
    DRAIN: frozenset({QUEUED, IDLE, LINGER}),
    LINGER: frozenset(),
    CLOSED: frozenset(),
}
"""The legal transitions, without those to CLOSED, which follows every state."""
