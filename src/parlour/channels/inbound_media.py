"""Media of inbound messages: their bytes become blobs before the message is acknowledged.

The row of a medium belongs to no service until its message is added. A medium whose message is
dropped expires like one that was uploaded and never sent.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, NamedTuple

import structlog

from parlour.channels.carrier import CarrierUnavailable
from parlour.protocol.storable_text import storable
from parlour.resources.inbox.message import InboxMedium
from parlour.resources.media import store as media_store
from parlour.store.blobs import BlobKey
from parlour.vocabulary import limits, sids
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.channels.carrier import Carrier, InboundMedium
    from parlour.store.blobs import BlobStore, BlobWriter
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.clock import Random

log = structlog.get_logger()

UNREADABLE = 63019
"""The code under which a medium that cannot be read is logged."""

_OCTETS = "application/octet-stream"


class StoredMedia(NamedTuple):
    """Media whose bytes are on disk, without rows yet."""

    media: tuple[InboxMedium, ...]
    blobs: tuple[BlobWriter, ...]


class InboundMediaStore:
    """Writes the bytes of inbound media."""

    def __init__(self, blobs: BlobStore, random: Random) -> None:
        self._blobs = blobs
        self._random = random

    async def write(self, account_sid: str, media: Sequence[InboundMedium]) -> StoredMedia:
        """Store the bytes of media; those that their carrier keeps are returned unread.

        What exceeds the limits of a message is left out and logged. Raises Unavailable.
        """
        stored: list[InboxMedium] = []
        blobs: list[BlobWriter] = []
        size = 0
        try:
            for each in media:
                size += len(each.content or b"")
                if size > limits.INBOUND_MEDIA_BYTES_MAX or len(stored) >= _COUNT_MAX:
                    log.warning("inbound_medium_dropped", account_sid=account_sid, code=UNREADABLE)
                    continue
                made = _described(each)
                if each.content is not None:
                    made, blob = await self._write(account_sid, made, each.content)
                    blobs.append(blob)
                stored.append(made)
        except BaseException:
            await _discard(blobs)
            raise
        return StoredMedia(tuple(stored), tuple(blobs))

    async def _write(
        self, account_sid: str, medium: InboxMedium, content: bytes
    ) -> tuple[InboxMedium, BlobWriter]:
        sid = self._random.sid(sids.MEDIA)
        blob = await self._blobs.create(BlobKey(account_sid, sid))
        try:
            await blob.write(content)
            await blob.persist()
        except BaseException:
            await blob.discard()
            raise
        made = InboxMedium(
            medium.content_type,
            medium.filename,
            medium.category,
            sid=sid,
            size=len(content),
            digest=hashlib.sha256(content).hexdigest(),
        )
        return made, blob

    async def read_from_carrier(
        self, account_sid: str, carrier: Carrier | None, media: tuple[InboxMedium, ...]
    ) -> StoredMedia:
        """Read the media that the carrier keeps; those that cannot be read are left out."""
        stored: list[InboxMedium] = []
        blobs: list[BlobWriter] = []
        size = sum(each.size for each in media)
        try:
            async with asyncio.timeout(limits.INBOUND_MEDIA_SECONDS_MAX) as timeout:
                for each in media:
                    if each.location is None or each.sid is not None:
                        stored.append(each)
                        continue
                    content = await _read(carrier, each.location)
                    size += len(content or b"")
                    if content is None or size > limits.INBOUND_MEDIA_BYTES_MAX:
                        log.warning(
                            "inbound_medium_dropped", account_sid=account_sid, code=UNREADABLE
                        )
                        continue
                    made, blob = await self._write(account_sid, each, content)
                    blobs.append(blob)
                    stored.append(made)
        except TimeoutError:
            if not timeout.expired():
                await _discard(blobs)
                raise
            log.warning("inbound_medium_dropped", account_sid=account_sid, code=UNREADABLE)
        except BaseException:
            await _discard(blobs)
            raise
        return StoredMedia(tuple(stored), tuple(blobs))

    async def mark_committed(self, account_sid: str, stored: StoredMedia) -> None:
        """Mark the blobs as committed: their rows are."""
        for each in stored.media:
            if each.sid is not None:
                await self._blobs.mark_committed(BlobKey(account_sid, each.sid))

    async def discard(self, stored: StoredMedia) -> None:
        """Remove the blobs: their rows were not committed."""
        await _discard(stored.blobs)


_COUNT_MAX = limits.MEDIA_PER_MESSAGE_MAX


def _described(medium: InboundMedium) -> InboxMedium:
    """Return the metadata of a medium, within the limits of the columns."""
    filename = storable(medium.filename or "")[: limits.MEDIA_FILENAME_CHARS_MAX]
    content_type = storable(medium.content_type).strip() or _OCTETS
    return InboxMedium(
        content_type[: limits.MEDIA_TYPE_CHARS_MAX],
        filename or None,
        medium.category,
        location=medium.location,
    )


async def _read(carrier: Carrier | None, location: str) -> bytes | None:
    """Return the bytes of a medium; None if the carrier does not return them."""
    if carrier is None:
        return None
    for attempt in range(limits.INBOUND_MEDIUM_ATTEMPTS_MAX):
        if attempt:
            await asyncio.sleep(limits.INBOX_RETRY_MS / 1000)
        try:
            return await carrier.read_medium(location)
        except CarrierUnavailable as error:
            log.info("inbound_medium_read_failed", attempt=attempt, error=str(error))
    return None


async def _discard(blobs: Sequence[BlobWriter]) -> None:
    for blob in blobs:
        await blob.discard()


async def insert_rows(tx: Transaction, account_sid: str, media: Sequence[InboxMedium]) -> None:
    """Insert the rows of media, without a service and a message."""
    scope = Scope(account_sid)
    for each in media:
        if each.sid is None:
            continue
        await media_store.insert_media(
            tx,
            scope,
            media_store.new_media(
                tx,
                scope,
                each.sid,
                size=each.size,
                content_type=each.content_type,
                filename=each.filename,
                category=each.category,
            ),
        )
