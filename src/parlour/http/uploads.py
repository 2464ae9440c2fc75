"""Taking an upload: the bytes themselves, or a form with one file in it.

The pieces go to the disk as they arrive. The blob is whole, synced and under its own name before
the row that names it is committed; whatever goes wrong before that leaves nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.http.streams import require_media_size, stream_body
from parlour.operations.transfers import Transfer, Transfers
from parlour.protocol import media_headers
from parlour.protocol.forms import parse_query
from parlour.resources.media import actions as media_actions
from parlour.resources.media.actions import Upload
from parlour.store.blobs import BlobKey
from parlour.store.transaction import Busy
from parlour.vocabulary import limits, sids
from parlour.vocabulary.crash_points import BLOB_STORED, MEDIA_COMMITTED, crash_point
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SDK, SILENT, Origin

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from parlour.http.messages import Request
    from parlour.resources.media.actions import MediaView
    from parlour.store.blobs import BlobStore, BlobWriter
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.scope import Scope

CATEGORIES: Final = ("media", "body", "history")
_FORM: Final = "multipart/form-data"


class _Declared(NamedTuple):
    """What is said of the bytes, beside them."""

    content_type: str
    filename: str | None


class Uploads:
    """Takes uploads, a bounded number at a time."""

    def __init__(self, store: Store, blobs: BlobStore, clock: Clock, random: Random) -> None:
        self._store = store
        self._blobs = blobs
        self._random = random
        self._transfers = Transfers(
            clock,
            in_all_max=limits.UPLOADS_MAX,
            of_account_max=limits.UPLOADS_PER_ACCOUNT_MAX,
        )

    async def take(self, request: Request, scope: Scope, identity: str | None) -> MediaView:
        """Keep the body of a request as a medium of this uploader."""
        request.has_unread_body = True
        transfer = self._transfers.enter(scope.account_sid, identity)
        try:
            await self._store.read(
                lambda tx: media_actions.require_upload_allowed(tx, scope, identity),
                account_sid=scope.account_sid,
            )
            return await self._take(request, scope, identity, transfer)
        finally:
            self._transfers.leave(transfer)

    async def _take(
        self, request: Request, scope: Scope, identity: str | None, transfer: Transfer
    ) -> MediaView:
        said = _said(request)
        name = BlobKey(scope.account_sid, self._random.sid(sids.MEDIA))
        blob = await self._blobs.create(name)
        try:
            async with _until_cut(transfer):
                declared = await _write(request, _Counted(blob, transfer), said.get("Filename"))
            await blob.persist()
        except BaseException:  # Whatever it was, the client or this process going included.
            await blob.discard()
            raise
        crash_point(BLOB_STORED)
        upload = Upload(
            sid=name.sid,
            size=blob.size,
            content_type=declared.content_type,
            filename=declared.filename,
            category=said.get("Category", CATEGORIES[0]),
        )
        try:
            seen = await self._commit(scope, identity, upload)
        except (ApiError, Busy):
            # After anything else nobody knows whether a row names it: disposal.py looks later.
            await blob.discard()
            raise
        crash_point(MEDIA_COMMITTED)
        await self._blobs.mark_committed(name)
        return seen

    async def _commit(self, scope: Scope, identity: str | None, upload: Upload) -> MediaView:
        origin = SILENT if identity is None else Origin(SDK, identity, fires=True)
        return await self._store.write(
            lambda tx: media_actions.add_media(tx, scope, identity, upload),
            origin,
            account_sid=scope.account_sid,
        )


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


class _Counted:
    """The blob of an upload, whose bytes are counted for the pace of the transfer."""

    def __init__(self, blob: BlobWriter, transfer: Transfer) -> None:
        self._blob = blob
        self._transfer = transfer

    @property
    def size(self) -> int:
        return self._blob.size

    async def write(self, piece: bytes) -> None:
        self._transfer.moved(len(piece))
        await self._blob.write(piece)


def _said(request: Request) -> dict[str, str]:
    """Category and file name from the query. Raises 20001."""
    said = {name: texts[-1] for name, texts in parse_query(request.query).items()}
    if said.get("Category", CATEGORIES[0]) not in CATEGORIES:
        raise ApiError.invalid("Category")
    media_headers.parse_file_name(said.get("Filename"))
    return said


async def _write(request: Request, blob: _Counted, filename: str | None) -> _Declared:
    """Write the file of a body, and say what it is."""
    header = request.header(b"content-type") or ""
    if header.partition(";")[0].strip().lower() == _FORM:
        return await _write_of_form(request, blob, header, filename)
    declared = _Declared(media_headers.parse_type(header), media_headers.parse_file_name(filename))
    _must_fit(request, limits.MEDIA_BYTES_MAX)
    async with aclosing(stream_body(request, limits.MEDIA_BYTES_MAX)) as pieces:
        async for piece in pieces:
            await blob.write(piece)
    return declared


def _must_fit(request: Request, bytes_max: int) -> None:
    """Raise 413 for a body that says at once that it is too large."""
    require_media_size(int(request.header(b"content-length") or 0), bytes_max)


async def _write_of_form(
    request: Request, blob: _Counted, header: str, filename: str | None
) -> _Declared:
    """Write the one file of a form. Raises 20001 for a form with none, or more."""
    # Imported at first use: hardly any client sends a form.
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
                declared = _Declared(
                    media_headers.parse_type(part.content_type),
                    media_headers.parse_file_name(part.filename if filename is None else filename),
                )
                await _copy(part.stream, blob)
            await stream.exhaust()
    except (falcon.HTTPError, DelimiterError, ValueError):
        raise ApiError(20001, "Invalid post body.") from None
    if declared is None:
        raise ApiError(20001, "The form has no file.")
    return declared


async def _copy(pieces: AsyncIterable[bytes], blob: _Counted) -> None:
    async for piece in pieces:
        require_media_size(blob.size + len(piece), limits.MEDIA_BYTES_MAX)
        await blob.write(piece)
