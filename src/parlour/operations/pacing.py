"""The delays that save work, and the limits on background work: none of them in test mode."""

from __future__ import annotations

from typing import NamedTuple

from parlour.vocabulary import limits


class Pacing(NamedTuple):
    """The pace of the background tasks of one server.

    ``limits_deliveries``: whether deliveries get a share of the processor only.
    ``deletes_logs``: whether the logs of webhooks and events have a retention time.
    """

    scheduler_debounce_ms: int = limits.SCHEDULER_DEBOUNCE_MS
    scheduler_interval_ms_min: int = 0
    sink_pause_ms: int = limits.SINK_PAUSE_MS
    outbox_debounce_ms: int = limits.OUTBOX_DEBOUNCE_MS
    limits_deliveries: bool = True
    deletes_logs: bool = True


UNPACED = Pacing(
    scheduler_debounce_ms=0,
    # A clock that is frozen a millisecond before a due time must not cause a busy loop.
    scheduler_interval_ms_min=20,
    sink_pause_ms=0,
    outbox_debounce_ms=0,
    limits_deliveries=False,
    deletes_logs=False,
)
