"""Downloads: the bytes of a medium, whole or a range, or its headers for HEAD."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import structlog

from parlour.http.messages import BodyStream, Response
from parlour.operations.transfers import Transfer, Transfers
from parlour.protocol import media_headers
from parlour.protocol.byte_ranges import ByteRange, RangeNotSatisfiable, parse_range
from parlour.store.blobs import BlobKey
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from parlour.http.messages import Headers, Request
    from parlour.resources.media.store import Media
    from parlour.store.blobs import BlobReader, BlobStore
    from parlour.vocabulary.clock import Clock

log = structlog.get_logger()


class Downloads:
    """Serves media, a bounded number of transfers at a time."""

    def __init__(self, blobs: BlobStore, clock: Clock) -> None:
        self._blobs = blobs
        self._transfers = Transfers(
            clock,
            in_all_max=limits.DOWNLOADS_MAX,
            of_account_max=limits.DOWNLOADS_PER_ACCOUNT_MAX,
        )

    async def respond(self, request: Request, medium: Media, user_sid: str) -> Response | None:
        """Return the response with the bytes; None if the blob is missing, which is a defect.

        ``user_sid`` is the chat user that downloads, empty for the account's own callers.
        """
        headers = _headers(medium)
        try:
            part = _part(request, medium)
        except RangeNotSatisfiable:
            unsatisfied = (b"content-range", b"bytes */%d" % medium.size)
            return Response(416, headers=(*media_headers.SECURITY_HEADERS, unsatisfied))
        status, length = 200, medium.size
        if part is not None:
            status, length = 206, part.length
            headers += ((b"content-range", part.content_range(medium.size).encode()),)
        if request.method == "HEAD":
            return Response(status, headers=headers, length=length)
        # Only bytes need a transfer slot: HEAD and 416 have returned.
        transfer = self._transfers.enter(medium.account_sid, user_sid or None)
        transfer.on_cut = request.exchange.abort
        found = await self._content(medium, part or ByteRange(0, medium.size), transfer)
        return None if found is None else Response(status, headers=headers, stream=found)

    async def _content(
        self, medium: Media, part: ByteRange, transfer: Transfer
    ) -> BodyStream | None:
        """Return the stream of the bytes; it holds a transfer slot until it is closed."""
        account_sid = medium.account_sid
        try:
            blob = await self._opened(medium)
        except BaseException:
            self._transfers.leave(transfer)
            raise
        if blob is None or blob.size != medium.size:
            self._transfers.leave(transfer)
            log.error("media_blob_check_failed", account_sid=account_sid, media_sid=medium.sid)
            return None

        # The slot is held until the response has ended, not until this method returns.
        async def close() -> None:
            self._transfers.leave(transfer)
            await blob.close()

        return BodyStream(part.length, _metered(blob.pieces(*part), transfer), close)

    async def _opened(self, medium: Media) -> BlobReader | None:
        """Open the bytes: in the row for a medium that the server generated, else a file."""
        if medium.content is not None:
            return _InlineBlob(medium.content)
        return await self._blobs.open(BlobKey(medium.account_sid, medium.sid))


class _InlineBlob:
    """The bytes of a medium that the server generated, with the interface of a blob."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self.size = len(self._bytes)

    async def pieces(self, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """Yield ``count`` bytes from an offset, in parts of limited size."""
        for start in range(first, first + count, limits.BLOB_PIECE_BYTES):
            yield self._bytes[start : min(start + limits.BLOB_PIECE_BYTES, first + count)]

    async def close(self) -> None:
        """Do nothing: no file is open."""


async def _metered(
    pieces: AsyncGenerator[bytes, None], transfer: Transfer
) -> AsyncGenerator[bytes, None]:
    """Yield the parts; each counts as progress of the transfer once it was sent."""
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece
            transfer.moved(len(piece))


def _headers(medium: Media) -> Headers:
    disposition = media_headers.content_disposition(medium.content_type, medium.filename)
    return (
        (b"content-type", media_headers.served_type(medium.content_type).encode()),
        (b"content-disposition", disposition.encode()),
        (b"accept-ranges", b"bytes"),
        (b"etag", _tag(medium).encode()),
        *media_headers.SECURITY_HEADERS,
    )


def _tag(medium: Media) -> str:
    """Return the ETag: media are immutable, so the SID identifies the bytes."""
    return f'"{medium.sid}"'


def _part(request: Request, medium: Media) -> ByteRange | None:
    """Return the requested range, unless If-Range differs. Raises RangeNotSatisfiable."""
    only_if = request.header(b"if-range")
    if only_if is not None and only_if.strip() != _tag(medium):
        return None
    return parse_range(request.header(b"range"), medium.size)
