"""Every job of the scheduler: what happens by itself, and which rule says how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations import idempotency, purge
from parlour.operations.scheduler import Job, transactional
from parlour.resources.clock_job import ClockJob
from parlour.resources.conversations import store as conversations
from parlour.resources.conversations import timers
from parlour.resources.users import departures, presence

if TYPE_CHECKING:
    from parlour.resources.conversation_with_participants.completion import Completion


def jobs(completion: Completion) -> tuple[Job, ...]:
    """The jobs of one server process."""
    return (
        ClockJob().job(),
        Job("timers", conversations.next_due_ms, transactional(timers.expire)),
        Job("pending_participants", completion.next_due_ms, completion.complete_some),
        Job("departures", departures.next_due_ms, transactional(departures.step)),
        Job("presence", presence.next_due_ms, transactional(presence.step)),
        Job("purge", purge.next_due_ms, transactional(purge.purge_step)),
        Job("idempotency", idempotency.next_due_ms, transactional(idempotency.expire)),
    )
