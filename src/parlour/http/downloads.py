"""Handing out the bytes of a medium: whole, a part of it, or its head alone."""

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
    """Hands out media, to a bounded number of clients at a time."""

    def __init__(self, blobs: BlobStore, clock: Clock) -> None:
        self._blobs = blobs
        self._transfers = Transfers(
            clock,
            in_all_max=limits.DOWNLOADS_MAX,
            of_account_max=limits.DOWNLOADS_PER_ACCOUNT_MAX,
        )

    async def respond(self, request: Request, medium: Media, user_sid: str) -> Response | None:
        """The answer with the bytes; None if there are none, which no crash can bring about.

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
        transfer = self._transfers.enter(medium.account_sid, user_sid or None)
        transfer.on_cut = request.exchange.abort
        found = await self._content(medium, part or ByteRange(0, medium.size), transfer)
        return None if found is None else Response(status, headers=headers, stream=found)

    async def _content(
        self, medium: Media, part: ByteRange, transfer: Transfer
    ) -> BodyStream | None:
        """The bytes, and a place among the downloads for as long as they are sent."""
        account_sid = medium.account_sid
        try:
            blob = await self._opened(medium)
        except BaseException:
            self._transfers.leave(transfer)
            raise
        if blob is None or blob.size != medium.size:
            self._transfers.leave(transfer)
            log.error("media_without_bytes", account_sid=account_sid, media_sid=medium.sid)
            return None

        async def close() -> None:
            self._transfers.leave(transfer)
            await blob.close()

        return BodyStream(part.length, _counted(blob.pieces(*part), transfer), close)

    async def _opened(self, medium: Media) -> BlobReader | None:
        """The bytes: those in the row of a medium that the server made, else a file's."""
        if medium.content is not None:
            return _Made(medium.content)
        return await self._blobs.open(BlobKey(medium.account_sid, medium.sid))


class _Made:
    """The bytes of a medium that the server made, in the place of a blob."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self.size = len(self._bytes)

    async def pieces(self, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """So many bytes from a place on, a piece at a time."""
        for start in range(first, first + count, limits.BLOB_PIECE_BYTES):
            yield self._bytes[start : min(start + limits.BLOB_PIECE_BYTES, first + count)]

    async def close(self) -> None:
        """Nothing is open."""


async def _counted(
    pieces: AsyncGenerator[bytes, None], transfer: Transfer
) -> AsyncGenerator[bytes, None]:
    """The pieces, each counted for the pace of the transfer once the next one is wanted."""
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
    """What is uploaded once never changes: its sid says which bytes they are."""
    return f'"{medium.sid}"'


def _part(request: Request, medium: Media) -> ByteRange | None:
    """The part that is asked for, unless it is one of other bytes. Raises RangeNotSatisfiable."""
    only_if = request.header(b"if-range")
    if only_if is not None and only_if.strip() != _tag(medium):
        return None
    return parse_range(request.header(b"range"), medium.size)
