"""Garbage collection of media: first the file, then the row.

Media that no message carries after MEDIA_UNATTACHED_MS are marked as deleted here. Uploads that a
crash interrupted are listed by the blob store (store/blobs.py), and a periodic sweep decides by
their rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.scheduler import Job
from parlour.store.blobs import BlobKey
from parlour.vocabulary import limits
from parlour.vocabulary.crash_points import FILE_REMOVED, crash_point

if TYPE_CHECKING:
    from parlour.store.blobs import BlobStore
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock

# tidy: account-in-sql - removed media are deleted for all accounts
REMOVED = "SELECT account_sid, sid FROM media WHERE is_removed = 1 LIMIT $1"
DELETE_REMOVED = "DELETE FROM media WHERE account_sid = $1 AND sid = $2 AND is_removed = 1"
# tidy: account-in-sql - as above
OLDEST_UNATTACHED = """
SELECT date_created FROM media WHERE message_sid IS NULL AND is_removed = 0
 ORDER BY date_created LIMIT 1
"""
# tidy: account-in-sql - as above
EXPIRE = """
UPDATE media SET is_removed = 1 WHERE message_sid IS NULL AND is_removed = 0
   AND (account_sid, sid) IN (
    SELECT account_sid, sid FROM media
     WHERE message_sid IS NULL AND is_removed = 0 AND date_created <= $1
     ORDER BY date_created LIMIT $2)
"""
EXISTS = """
SELECT 1 FROM media WHERE account_sid = $1 AND sid = $2
UNION ALL
SELECT 1 FROM virtual_phone_medium WHERE account_sid = $1 AND sid = $2
"""

# A medium from upload to deletion, with the file and the row in each state:
#
#   uploading    file, no row            the sweep deletes the file after a crash
#   stored       file, row               marked when it expires or its message is deleted
#   marked       file, tombstone row     the file is deleted first: a crash repeats the step
#   no file      tombstone row           the row is deleted
SWEEP: Final = "media_sweep"
"""The name of the job that looks for files without a row."""
_STEP: Final = limits.MEDIA_REMOVED_PER_STEP_MAX


class MediaGarbageCollector:
    """The jobs that delete marked media, and the files of interrupted uploads."""

    def __init__(self, blobs: BlobStore, clock: Clock) -> None:
        self._blobs = blobs
        self._clock = clock
        self._next_sweep_ms = 0.0  # Of the monotonic clock.
        # When a sweep first found an uncommitted file old, on the monotonic clock.
        # At most the files of one batch.
        self._found_ms: dict[BlobKey, float] = {}

    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs: deletion of marked and expired media, and the sweep after crashes."""
        return (
            Job("media", self._next_removal_ms, self._remove_some, is_upkeep=True),
            Job(SWEEP, self._next_sweep_due_ms, self._sweep, follows_clock=False),
        )

    async def _next_removal_ms(self, tx: Transaction) -> int | None:
        if await tx.one(REMOVED, 1) is not None:
            return tx.now
        oldest = await tx.one(OLDEST_UNATTACHED)
        return None if oldest is None else int(oldest[0]) + limits.MEDIA_UNATTACHED_MS

    async def _remove_some(self, store: Store) -> None:
        """Mark expired media, delete the files of marked ones, then their rows: one batch."""

        async def mark(tx: Transaction) -> list[BlobKey]:
            await tx.run(EXPIRE, tx.now - limits.MEDIA_UNATTACHED_MS, _STEP)
            return [BlobKey(*row) for row in await tx.all(REMOVED, _STEP)]

        marked = await store.write(mark)
        for name in marked:
            await self._blobs.remove(name)
            crash_point(FILE_REMOVED)

        async def delete_rows(tx: Transaction) -> None:
            for name in marked:
                await tx.run(DELETE_REMOVED, *name)

        await store.write(delete_rows)

    async def _next_sweep_due_ms(self, tx: Transaction) -> int:
        return tx.now + max(0, int(self._next_sweep_ms - self._clock.monotonic_ms()))

    async def _sweep(self, store: Store) -> None:
        """Check a batch of old uncommitted uploads: a file without a row is deleted.

        Not before it was found in a sweep some time ago: if the wall clock is set forward, an
        upload in progress looks old.
        """
        now_ms = self._clock.monotonic_ms()
        old = await self._blobs.uncommitted(self._clock.now_ms() - limits.MEDIA_UNATTACHED_MS)

        async def read_existing_keys(tx: Transaction) -> set[BlobKey]:
            return {name for name in old if await tx.one(EXISTS, *name) is not None}

        self._found_ms = {name: self._found_ms.get(name, now_ms) for name in old}
        confirmed = {
            name
            for name, found_ms in self._found_ms.items()
            if now_ms - found_ms >= limits.MEDIA_ORPHAN_MS
        }
        # The rows are read after that: an upload that ended in the meantime has one.
        with_row = await store.read(read_existing_keys)
        for name in with_row:
            await self._blobs.mark_committed(name)
        for name in confirmed - with_row:
            await self._blobs.remove(name)
        if len(old) < _STEP or not confirmed | with_row:
            self._next_sweep_ms = self._clock.monotonic_ms() + limits.MEDIA_SWEEP_PAUSE_MS
