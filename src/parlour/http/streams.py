"""Bodies: small ones as a whole, large ones in pieces, so that memory does not grow with them.

How long a body may take depends on its size: an upload has a while to begin with, and more time
for what has arrived. So neither a client that sends nothing nor one that sends a byte a second
holds its place for long, and a large file over a slow line is taken all the same.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from parlour.http.messages import BodyStream, Exchange, Request


async def read_body(request: Request) -> bytes:
    """The whole body. Raises 413 above the limit; how long it may take is the connection's."""
    if not request.has_body:
        request.body = await request.exchange.read_body()
        request.has_body = True
    request.has_unread_body = False
    return request.body


async def stream_body(request: Request, bytes_max: int) -> AsyncGenerator[bytes, None]:
    """The pieces of a body. Raises 413, 408, or GoneError.

    Until the body has ended, or is too large, the request counts as unread.
    """
    if request.has_body:  # A small one came together with the head.
        request.has_unread_body = False
        require_media_size(len(request.body), bytes_max)
        body, request.body = request.body, b""
        yield body
        return
    begun = asyncio.get_running_loop().time()
    received = 0
    request.has_unread_body = True
    while True:  # Ends with the body, its limit or its time.
        patience = limits.UPLOAD_GRACE_SECONDS + received / limits.UPLOAD_BYTES_PER_SECOND_MIN
        try:
            async with asyncio.timeout_at(begun + patience):
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
    """Raise 413 for a medium that is larger than a message can carry."""
    if size > bytes_max:
        raise ApiError(50512)


async def send_stream(content: BodyStream, exchange: Exchange) -> None:
    """Send a body, as fast as the client takes it. Raises GoneError."""
    try:
        async with aclosing(content.pieces) as pieces:
            async for piece in pieces:
                exchange.write(piece)
                if exchange.is_write_paused:
                    await exchange.flush()
    finally:
        await content.close()
