"""Uploads: a body that is the file, or a form with one file.

Parts are written to the disk as they arrive, so memory does not grow with the file.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.http.streams import require_media_size, stream_body
from parlour.operations.transfers import Transfer, Transfers
from parlour.protocol import media_headers
from parlour.protocol.forms import parse_query
from parlour.resources.media.parameters import CATEGORIES, CreateMedia, Upload
from parlour.store.blobs import BlobKey
from parlour.store.transaction import Busy
from parlour.vocabulary import limits, sids
from parlour.vocabulary.crash_points import BLOB_STORED, MEDIA_COMMITTED, crash_point
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from parlour.http.messages import Request
    from parlour.operations.audit import AuditTrail
    from parlour.operations.call import Call
    from parlour.resources.media.actions import MediaView
    from parlour.store.blobs import BlobStore, BlobWriter
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.unset import Unset

_FORM: Final = "multipart/form-data"


class _FileMetadata(NamedTuple):
    """What the request declares about the file."""

    content_type: str
    filename: str | None


# The order of an upload, and what a crash leaves after each step:
#
#   1. the blob is written                  an incomplete file, removed by the sweep
#   2. the blob is synced under its name    a complete file without a row, removed by the sweep
#   3. the row is committed                 a file with a row: the sweep marks it as committed
#   4. the blob is marked as committed      a complete upload
#
# An error before the commit discards the blob. If the outcome of the commit is unknown, the sweep
# decides by the row as well (resources/media/garbage_collection.py).
class Uploads:
    """Stores uploads, a bounded number at a time."""

    def __init__(
        self, store: Store, blobs: BlobStore, clock: Clock, random: Random, audit: AuditTrail
    ) -> None:
        self._audit = audit
        self._store = store
        self._blobs = blobs
        self._random = random
        self.transfers = Transfers(
            clock,
            in_all_max=limits.UPLOADS_MAX,
            of_account_max=limits.UPLOADS_PER_ACCOUNT_MAX,
        )

    async def store(self, request: Request, call: Call[CreateMedia]) -> MediaView:
        """Store the body of a request, and run the action of its call on it."""
        request.has_unread_body = True
        check, account_sid = call.operation.spec.check_before_body, call.scope.account_sid
        assert check is not None
        transfer = self.transfers.enter(account_sid, call.caller.identity)
        try:
            # Before the body: a forbidden upload is refused without reading 150 MB.
            await self._store.read(lambda tx: check(tx, call), account_sid=account_sid)
            return await self._transfer(request, call, transfer)
        finally:
            self.transfers.leave(transfer)

    async def _transfer(
        self, request: Request, call: Call[CreateMedia], transfer: Transfer
    ) -> MediaView:
        call.form = parse_query(request.query)
        parameters = CreateMedia.parse(call.form)
        name = BlobKey(call.scope.account_sid, self._random.sid(sids.MEDIA))
        blob = await self._blobs.create(name)
        try:
            async with _until_cut(transfer):
                metered = _MeteredBlob(blob, transfer)
                metadata = await _write(request, metered, parameters.filename)
            await blob.persist()
        except BaseException:  # Cancellation included: an incomplete blob never stays.
            await blob.discard()
            raise
        crash_point(BLOB_STORED)
        upload = Upload(
            sid=name.sid,
            size=blob.size,
            content_type=metadata.content_type,
            filename=metadata.filename,
            category=CATEGORIES[0] if parameters.category is UNSET else parameters.category,
        )
        call.parsed = replace(parameters, upload=upload)
        try:
            found = await self._commit(call)
        except (ApiError, Busy):
            # After any other error the outcome of the commit is unknown: garbage_collection.py
            # decides later, by the row.
            await blob.discard()
            raise
        crash_point(MEDIA_COMMITTED)
        await self._blobs.mark_committed(name)
        return found

    async def _commit(self, call: Call[CreateMedia]) -> MediaView:
        action = call.operation.spec.action

        async def work(tx: Transaction) -> MediaView:
            found: MediaView = await action(tx, call)
            if self._audit.covers(call):
                await self._audit.record(tx, call, found.medium)
            return found

        return await self._store.write(work, call.origin, account_sid=call.scope.account_sid)


@asynccontextmanager
async def _until_cut(transfer: Transfer) -> AsyncGenerator[None, None]:
    """Raise 408 in the block once the transfer is cut."""
    try:
        async with asyncio.timeout(None) as timeout:
            transfer.on_cut = lambda: timeout.reschedule(asyncio.get_running_loop().time())
            yield
    except TimeoutError:
        raise ApiError(20001, "The body comes too slowly.", status=408) from None
    finally:
        transfer.on_cut = None


class _MeteredBlob:
    """The blob of an upload; its bytes count as progress of the transfer."""

    def __init__(self, blob: BlobWriter, transfer: Transfer) -> None:
        self._blob = blob
        self._transfer = transfer

    @property
    def size(self) -> int:
        return self._blob.size

    async def write(self, piece: bytes) -> None:
        self._transfer.moved(len(piece))
        await self._blob.write(piece)


async def _write(
    request: Request, blob: _MeteredBlob, filename: str | Unset | None
) -> _FileMetadata:
    """Write the file of a body, and return its metadata."""
    header = request.header(b"content-type") or ""
    if header.partition(";")[0].strip().lower() == _FORM:
        return await _write_of_form(request, blob, header, filename)
    declared = _FileMetadata(
        media_headers.parse_type(header), None if filename is UNSET else filename
    )
    _must_fit(request, limits.MEDIA_BYTES_MAX)
    async with aclosing(stream_body(request, limits.MEDIA_BYTES_MAX)) as pieces:
        async for piece in pieces:
            await blob.write(piece)
    return declared


def _must_fit(request: Request, bytes_max: int) -> None:
    """Raise 413 for a Content-Length above the limit."""
    require_media_size(int(request.header(b"content-length") or 0), bytes_max)


async def _write_of_form(
    request: Request, blob: _MeteredBlob, header: str, filename: str | Unset | None
) -> _FileMetadata:
    """Write the one file of a form. Raises 20001 for a form with no file or several."""
    # Imported at first use: few clients send a form.
    import falcon  # noqa: PLC0415
    from falcon.asgi.multipart import MultipartForm  # noqa: PLC0415
    from falcon.asgi.reader import BufferedReader  # noqa: PLC0415
    from falcon.errors import DelimiterError  # noqa: PLC0415
    from falcon.media.multipart import MultipartParseOptions  # noqa: PLC0415

    bytes_max = limits.MEDIA_BYTES_MAX + limits.MULTIPART_FRAME_BYTES_MAX
    _must_fit(request, bytes_max)
    _, parameters = falcon.parse_header(header)
    boundary = parameters.get("boundary", "")
    if not 0 < len(boundary) <= limits.BOUNDARY_CHARS_MAX or not boundary.isascii():
        raise ApiError(20001, "Invalid post body.")
    declared = None
    try:
        async with aclosing(stream_body(request, bytes_max)) as pieces:
            stream = BufferedReader(pieces)
            form = MultipartForm(stream, boundary.encode(), None, MultipartParseOptions())
            async for part in form:
                if part.filename is None:
                    continue
                if declared is not None:
                    raise ApiError(20001, "A form carries one file.")
                declared = _FileMetadata(
                    media_headers.parse_type(part.content_type),
                    media_headers.parse_file_name(part.filename) if filename is UNSET else filename,
                )
                await _copy(part.stream, blob)
            await stream.exhaust()
    except (falcon.HTTPError, DelimiterError, ValueError):
        raise ApiError(20001, "Invalid post body.") from None
    if declared is None:
        raise ApiError(20001, "The form has no file.")
    return declared


async def _copy(pieces: AsyncIterable[bytes], blob: _MeteredBlob) -> None:
    async for piece in pieces:
        require_media_size(blob.size + len(piece), limits.MEDIA_BYTES_MAX)
        await blob.write(piece)
