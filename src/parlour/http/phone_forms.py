"""The form of a message that a virtual phone sends: its fields, and files in a multipart form.

Files are written to the disk as they arrive. A urlencoded form has no files, and is buffered.
"""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.http.streams import read_body, require_media_size, stream_body
from parlour.protocol import media_headers
from parlour.protocol.forms import parse_form
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from parlour.http.messages import Request
    from parlour.operations.transfers import Transfer
    from parlour.protocol.forms import FormFields
    from parlour.resources.virtual_phones.media_copies import PhoneMediaCopies
    from parlour.resources.virtual_phones.message_store import PhoneMedium

_MULTIPART: Final = "multipart/form-data"
_URL_ENCODED: Final = "application/x-www-form-urlencoded"
_FILE_FIELD: Final = "Media"


class FileLimits(NamedTuple):
    """The limits of the files of one message: of each, and of all together, in bytes."""

    of_file_max: int
    of_all_max: int


class PhoneFormReader:
    """Reads one form; ``media`` are the files that were written, also if the form is invalid.

    ``digests`` identify them by content, type and name.
    """

    def __init__(
        self,
        account_sid: str,
        copies: PhoneMediaCopies,
        transfer: Transfer,
        file_limits: FileLimits,
    ) -> None:
        self.media: list[PhoneMedium] = []
        self.digests: list[tuple[str, str, str | None]] = []
        self._account_sid = account_sid
        self._copies = copies
        self._transfer = transfer
        self._file_limits = file_limits
        self._field_bytes = 0

    async def read(self, request: Request) -> FormFields:
        """Return the fields; write the files. Raises ApiError 400, 408, 413, 415."""
        header = request.header(b"content-type") or ""
        kind = header.partition(";")[0].strip().lower()
        if kind == _MULTIPART:
            return await self._read_multipart(request, header)
        body = await read_body(request)
        if body and kind not in {_URL_ENCODED, ""}:
            raise ApiError(20001, "Unsupported content type.", status=415)
        if body.count(b"%") > limits.FORM_ESCAPES_MAX:
            raise ApiError(20413)
        return parse_form(body)

    async def _read_multipart(self, request: Request, header: str) -> FormFields:
        # Imported at first use: few clients send such a form.
        import falcon  # noqa: PLC0415
        from falcon.asgi.multipart import MultipartForm  # noqa: PLC0415
        from falcon.asgi.reader import BufferedReader  # noqa: PLC0415
        from falcon.errors import DelimiterError  # noqa: PLC0415
        from falcon.media.multipart import MultipartParseOptions  # noqa: PLC0415

        bytes_max = (
            self._file_limits.of_all_max
            + limits.VIRTUAL_PHONE_FIELDS_BYTES_MAX
            + limits.MULTIPART_FRAME_BYTES_MAX
        )
        require_media_size(int(request.header(b"content-length") or 0), bytes_max)
        _, parameters = falcon.parse_header(header)
        boundary = parameters.get("boundary", "")
        if not 0 < len(boundary) <= limits.BOUNDARY_CHARS_MAX or not boundary.isascii():
            raise ApiError(20001, "Invalid post body.")
        form: FormFields = {}
        try:
            async with aclosing(stream_body(request, bytes_max)) as pieces:
                stream = BufferedReader(self._metered(pieces))
                parts = MultipartForm(stream, boundary.encode(), None, MultipartParseOptions())
                async for part in parts:
                    if part.filename is None:
                        text = await self._read_field(part.stream)
                        form.setdefault(part.name or "", []).append(text)
                    elif part.name == _FILE_FIELD:
                        await self._write_file(part.stream, part.content_type, part.filename)
                    else:
                        raise ApiError(20001, f"Files are sent as {_FILE_FIELD}.")
                await stream.exhaust()
        except (falcon.HTTPError, DelimiterError, ValueError):
            raise ApiError(20001, "Invalid post body.") from None
        return form

    async def _metered(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for piece in pieces:
            self._transfer.moved(len(piece))
            yield piece

    async def _read_field(self, pieces: AsyncIterable[bytes]) -> str:
        content = b""
        async for piece in pieces:
            self._field_bytes += len(piece)
            if self._field_bytes > limits.VIRTUAL_PHONE_FIELDS_BYTES_MAX:
                raise ApiError(20413)
            content += piece
        text = content.decode()
        if "\0" in text:
            raise ApiError(20001, "Invalid post body.")
        return text

    async def _write_file(
        self, pieces: AsyncIterable[bytes], content_type: str | None, filename: str
    ) -> None:
        if len(self.media) == limits.VIRTUAL_PHONE_MEDIA_MAX:
            most = limits.VIRTUAL_PHONE_MEDIA_MAX
            raise ApiError(20001, f"A message has {most} media at most.")
        kind = media_headers.parse_type(content_type)
        name = media_headers.parse_file_name(filename)
        digest = hashlib.sha256()
        content = self._bounded(pieces, digest.update)
        self.media.append(await self._copies.write(self._account_sid, content, kind, name))
        self.digests.append((digest.hexdigest(), kind, name))

    async def _bounded(
        self, pieces: AsyncIterable[bytes], on_piece: Callable[[bytes], None]
    ) -> AsyncGenerator[bytes, None]:
        earlier, size = sum(each.size for each in self.media), 0
        async for piece in pieces:
            size += len(piece)
            require_media_size(size, self._file_limits.of_file_max)
            require_media_size(earlier + size, self._file_limits.of_all_max)
            on_piece(piece)
            yield piece
