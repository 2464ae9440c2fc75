"""The copies of media that a phone keeps: separate blobs, so that they survive their message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.virtual_phones.message_store import PhoneMedium
from parlour.store.blobs import BlobKey
from parlour.vocabulary import sids
from parlour.vocabulary.crash_points import BLOB_STORED, crash_point

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from parlour.store.blobs import BlobStore
    from parlour.vocabulary.clock import Random


class PhoneMediaCopies:
    """Writes, commits and discards the blobs of phones."""

    # As an upload (http/uploads.py): the blob is persisted, the row is committed, the blob is
    # marked as committed. The sweep removes the blobs that a crash leaves without a row.
    def __init__(self, blobs: BlobStore, random: Random) -> None:
        self._blobs = blobs
        self._random = random

    async def write(
        self,
        account_sid: str,
        content: AsyncIterator[bytes],
        content_type: str,
        filename: str | None,
    ) -> PhoneMedium:
        """Persist the bytes of a medium under a new SID. Raises Unavailable."""
        key = BlobKey(account_sid, self._random.sid(sids.MEDIA))
        blob = await self._blobs.create(key)
        try:
            async for piece in content:
                await blob.write(piece)
            await blob.persist()
        except BaseException:  # Cancellation included: an incomplete blob never stays.
            await blob.discard()
            raise
        crash_point(BLOB_STORED)
        return PhoneMedium(key.sid, content_type, blob.size, filename)

    async def write_bytes(
        self, account_sid: str, content: bytes, content_type: str, filename: str | None
    ) -> PhoneMedium:
        """Persist bytes in memory, as `write`."""

        async def pieces() -> AsyncIterator[bytes]:
            yield content

        return await self.write(account_sid, pieces(), content_type, filename)

    async def mark_committed(self, account_sid: str, media: Iterable[PhoneMedium]) -> None:
        """Mark blobs whose rows are committed."""
        for each in media:
            await self._blobs.mark_committed(BlobKey(account_sid, each.sid))

    async def discard(self, account_sid: str, media: Iterable[PhoneMedium]) -> None:
        """Remove blobs that no row names."""
        for each in media:
            await self._blobs.remove(BlobKey(account_sid, each.sid))

    async def read(self, account_sid: str, medium: PhoneMedium) -> bytes:
        """Return the bytes of a persisted blob."""
        blob = await self._blobs.open(BlobKey(account_sid, medium.sid))
        assert blob is not None, medium.sid
        try:
            return b"".join([piece async for piece in blob.pieces(0, blob.size)])
        finally:
            await blob.close()
