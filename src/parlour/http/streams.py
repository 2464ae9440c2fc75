"""Request and response bodies: small ones buffered, large ones streamed in bounded memory.

The deadline of an upload is a grace period plus the time of the received bytes at a minimum rate.
So a client that sends nothing, or a byte per second, times out soon, and a large file over a slow
line does not.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from parlour.http.messages import BodyStream, Exchange, Request


_LAST_CHUNK: Final = b"0\r\n\r\n"


async def read_body(request: Request) -> bytes:
    """Return the whole body. Raises 413 above the limit; the connection sets the deadline."""
    if not request.has_body:
        request.body = await request.exchange.read_body()
        request.has_body = True
    request.has_unread_body = False
    return request.body


async def stream_body(request: Request, bytes_max: int) -> AsyncGenerator[bytes, None]:
    """Yield the parts of a body. Raises 413, 408, or ClientDisconnectedError.

    Until the end of the body, or an error, ``has_unread_body`` is set.
    """
    if request.has_body:  # A small body came with the head.
        request.has_unread_body = False
        require_media_size(len(request.body), bytes_max)
        body, request.body = request.body, b""
        yield body
        return
    started = asyncio.get_running_loop().time()
    received = 0
    request.has_unread_body = True
    while True:  # Ends with the body, at its size limit or its deadline.
        allowed = limits.UPLOAD_GRACE_SECONDS + received / limits.UPLOAD_BYTES_PER_SECOND_MIN
        try:
            async with asyncio.timeout_at(started + allowed):
                piece = await request.exchange.read_piece()
        except TimeoutError:
            raise ApiError(20001, "The body comes too slowly.", status=408) from None
        if not piece:
            break
        received += len(piece)
        require_media_size(received, bytes_max)
        yield piece
    request.has_unread_body = False


def require_media_size(size: int, bytes_max: int) -> None:
    """Raise 413 for a medium that is larger than a message can have."""
    if size > bytes_max:
        raise ApiError(50512)


def _chunk(piece: bytes) -> bytes:
    """Return a chunk of a body without a declared length (RFC 9112, section 7.1)."""
    assert piece, "an empty chunk ends the body"
    return b"%x\r\n%s\r\n" % (len(piece), piece)


async def send_stream(content: BodyStream, exchange: Exchange) -> None:
    """Send a body at the pace of the client. Raises ClientDisconnectedError."""
    is_chunked = content.length is None and exchange.can_chunk
    try:
        async with aclosing(content.pieces) as pieces:
            async for piece in pieces:
                exchange.write(_chunk(piece) if is_chunked else piece)
                if exchange.is_write_paused:
                    await exchange.flush()
        if is_chunked:
            exchange.write(_LAST_CHUNK)
            await exchange.flush()
    finally:
        await content.close()
