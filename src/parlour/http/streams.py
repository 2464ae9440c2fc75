"""Bodies: small ones as a whole, large ones in pieces, so that memory does not grow with them.

How long a body may take depends on its size: an upload has a while to begin with, and more time
for what has arrived. So neither a client that sends nothing nor one that sends a byte a second
holds its place for long, and a large file over a slow line is taken all the same.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from parlour.http.messages import GoneError
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from parlour.http.messages import Content, Receive, Request, Send


async def read_body(request: Request) -> bytes:
    """The whole body. Raises 413 above the limit; how long it may take is the connection's."""
    length = request.header(b"content-length")
    if length is not None and int(length) > limits.BODY_BYTES_MAX:
        raise ApiError(20413)
    message: Any = await request.receive()
    body: bytes = message.get("body", b"")
    parts = [body]
    size = len(body)
    while message.get("more_body"):  # Ends with the body, its limit, or the connection.
        message = await request.receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limits.BODY_BYTES_MAX:
            raise ApiError(20413)
    if message["type"] == "http.disconnect":
        raise GoneError
    request.is_unread = False
    return body if len(parts) == 1 else b"".join(parts)


async def incoming(request: Request, bytes_max: int) -> AsyncGenerator[bytes, None]:
    """The pieces of a body. Raises 413, 408, or GoneError.

    Until the body has ended, or is too large, the request counts as unread.
    """
    begun = asyncio.get_running_loop().time()
    received = 0
    more = request.is_unread = True
    while more:
        patience = limits.UPLOAD_GRACE_SECONDS + received / limits.UPLOAD_BYTES_PER_SECOND_MIN
        try:
            async with asyncio.timeout_at(begun + patience):
                message = await request.receive()
        except TimeoutError:
            raise ApiError(20001, "The body comes too slowly.", status=408) from None
        if message["type"] == "http.disconnect":
            raise GoneError
        piece: bytes = message.get("body", b"")
        received += len(piece)
        more = request.is_unread = message.get("more_body", False)
        must_not_exceed(received, bytes_max)
        if piece:
            yield piece


def must_not_exceed(size: int, bytes_max: int) -> None:
    """Raise 413 for a medium that is larger than a message can carry."""
    if size > bytes_max:
        raise ApiError(50512)


async def linger(request: Request) -> None:
    """Take what a refused client still sends, for a while.

    A connection that is closed under somebody who sends is reset, and the answer is lost.
    """
    try:
        async with asyncio.timeout(limits.LINGER_SECONDS_MAX):
            while request.is_unread:
                message = await request.receive()
                request.is_unread = message.get("more_body", False)
    except TimeoutError:
        return


async def send_pieces(content: Content, receive: Receive, send: Send) -> None:
    """Send a body, as fast as the client takes it; stop when the client is gone."""
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        async with aclosing(content.pieces) as pieces:
            async for piece in pieces:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        await content.close()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
