"""The scheduler's jobs, each with the functions that return when it is due and run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations import idempotency, purge
from parlour.operations.scheduler import Job, transactional
from parlour.resources.clock_job import ClockJob
from parlour.resources.console_audit.retention import AUDIT_JOB
from parlour.resources.console_sessions.retention import SESSIONS_JOB
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.inbox.retention import RETENTION_JOB
from parlour.resources.media.garbage_collection import MediaGarbageCollector
from parlour.resources.messages.unsent_receipts import unsent_receipts_job
from parlour.resources.outbox.queue import outbox_retention_job
from parlour.resources.user_removal import membership_cleanup as user_removal_membership_cleanup
from parlour.resources.users import presence as user_presence
from parlour.resources.virtual_phones.media_garbage_collection import virtual_phone_media_job
from parlour.resources.webhook_attempts.retention import retention_job
from parlour.resources.webhook_endpoints.retention import endpoint_retention_job

if TYPE_CHECKING:
    from parlour.resources.conversation_with_participants.background_create import BackgroundCreate
    from parlour.store.blobs import BlobStore
    from parlour.vocabulary.clock import Clock


def jobs(
    background_create: BackgroundCreate,
    blobs: BlobStore,
    clock: Clock,
    *,
    retention_hours: int | None,
) -> tuple[Job, ...]:
    """Return the jobs of one server process.

    ``retention_hours``: of the webhook log; None if logs are not deleted.
    """
    return (
        ClockJob().job(),
        Job(
            "timers",
            conversation_store.next_timer_ms,
            transactional(conversation_timers.fire_due_timers),
        ),
        Job("pending_participants", background_create.next_due_ms, background_create.complete_some),
        Job(
            "membership_cleanup",
            user_removal_membership_cleanup.next_due_ms,
            transactional(user_removal_membership_cleanup.step),
        ),
        Job("presence", user_presence.next_due_ms, transactional(user_presence.step)),
        virtual_phone_media_job(blobs),
        Job("purge", purge.next_due_ms, transactional(purge.purge_step), is_upkeep=True),
        Job(
            "idempotency",
            idempotency.next_due_ms,
            transactional(idempotency.expire),
            is_upkeep=True,
        ),
        RETENTION_JOB,
        outbox_retention_job(),
        unsent_receipts_job(),
        SESSIONS_JOB,
        AUDIT_JOB,
        *MediaGarbageCollector(blobs, clock).jobs(),
        *_retention_jobs(retention_hours),
    )


def _retention_jobs(hours: int | None) -> tuple[Job, ...]:
    return () if hours is None else (retention_job(hours), endpoint_retention_job(hours))
