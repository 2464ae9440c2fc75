"""Crash points: named positions in the code at which a test can kill the process.

With ``PARLOUR_CRASH_AT="name#3"`` the process kills itself with SIGKILL at the third passage of
that crash point; without it, a crash point is a call of an empty function.
"""

from __future__ import annotations

import os
import signal
from itertools import count
from typing import Final

EVENT_READ: Final = "event read, not queued"
QUEUED: Final = "webhook queued, not sent"
SENT: Final = "webhook sent, result not recorded"
RESULTS_RECORDED: Final = "webhook result recorded, next not started"
POSITION: Final = "webhooks queued, position not checkpointed"

CRASH_POINTS: Final = (EVENT_READ, QUEUED, SENT, RESULTS_RECORDED, POSITION)

BLOB_STORED: Final = "media file stored, row not committed"
MEDIA_COMMITTED: Final = "media row committed, file not settled"
FILE_REMOVED: Final = "media file removed, row not"

MEDIA_CRASH_POINTS: Final = (BLOB_STORED, MEDIA_COMMITTED, FILE_REMOVED)

INBOUND_RECEIVED: Final = "inbound message received, not stored"
INBOUND_STORED: Final = "inbound message stored, not acknowledged"
INBOUND_PROCESSED: Final = "inbound message processed, not reported"

INBOUND_CRASH_POINTS: Final = (INBOUND_RECEIVED, INBOUND_STORED, INBOUND_PROCESSED)

SUBMISSION_LOADED: Final = "submission loaded, not sent"
SUBMISSION_SENT: Final = "submission sent, result not recorded"
SUBMISSION_RECORDED: Final = "submission recorded, next not loaded"

OUTBOX_CRASH_POINTS: Final = (SUBMISSION_LOADED, SUBMISSION_SENT, SUBMISSION_RECORDED)

REPORT_RECEIVED: Final = "delivery report received, not recorded"
REPORT_RECORDED: Final = "delivery report recorded, not acknowledged"
EARLY_REPORT_STORED: Final = "early delivery report stored, not acknowledged"

REPORT_CRASH_POINTS: Final = (REPORT_RECEIVED, REPORT_RECORDED, EARLY_REPORT_STORED)

BATCH_MOVED: Final = "a batch of rows moved, the next not begun"

_NAME, _, _PASSAGE = os.environ.get("PARLOUR_CRASH_AT", "").partition("#")
_passages = count(1)
_KNOWN: Final = frozenset(
    {
        "",
        *CRASH_POINTS,
        *MEDIA_CRASH_POINTS,
        *INBOUND_CRASH_POINTS,
        *OUTBOX_CRASH_POINTS,
        *REPORT_CRASH_POINTS,
        BATCH_MOVED,
    }
)
assert _NAME in _KNOWN, f"there is no crash point {_NAME!r}"


def _kill_at(name: str) -> None:
    if name == _NAME and next(_passages) == int(_PASSAGE or 1):
        os.kill(os.getpid(), signal.SIGKILL)


def _do_nothing(_name: str) -> None:
    """Disabled crash point."""


crash_point: Final = _kill_at if _NAME else _do_nothing
"""Pass a crash point."""
