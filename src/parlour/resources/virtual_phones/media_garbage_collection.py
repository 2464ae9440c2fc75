"""Deletion of the media of deleted messages of virtual phones: first the file, then the row.

Files that a crash left without a row are removed by the sweep of `MediaGarbageCollector`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.scheduler import Job
from parlour.store.blobs import BlobKey
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.blobs import BlobStore
    from parlour.store.transaction import Store, Transaction

# tidy: account-in-sql - removed media are deleted for all accounts
REMOVED = "SELECT account_sid, sid FROM virtual_phone_medium WHERE is_removed = 1 LIMIT $1"
DELETE_REMOVED = (
    "DELETE FROM virtual_phone_medium WHERE account_sid = $1 AND sid = $2 AND is_removed = 1"
)


async def _next_due_ms(tx: Transaction) -> int | None:
    return None if await tx.one(REMOVED, 1) is None else tx.now


# tidy: event-for-change - the deletion of the message had an event
def virtual_phone_media_job(blobs: BlobStore) -> Job:
    """Return the job that deletes removed media of phones, a batch in each step."""

    async def remove_some(store: Store) -> None:
        async def list_removed(tx: Transaction) -> list[BlobKey]:
            rows = await tx.all(REMOVED, limits.MEDIA_REMOVED_PER_STEP_MAX)
            return [BlobKey(*row) for row in rows]

        removed = await store.read(list_removed)
        for key in removed:
            await blobs.remove(key)

        async def delete_rows(tx: Transaction) -> None:
            for key in removed:
                await tx.run(DELETE_REMOVED, *key)

        await store.write(delete_rows)

    return Job("virtual_phone_media", _next_due_ms, remove_some, is_upkeep=True)
