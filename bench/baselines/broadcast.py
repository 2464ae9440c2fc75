"""Baseline D: a WebSocket server that broadcasts a constant on request.

The constant is what one listener of Parlour receives for one message, frame by frame. Frames of
listeners are read and dropped, since theirs are acknowledgements.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from bench.baselines.update_handling import Receive, Scope, Send, answer


def _frames(raw: bytes) -> list[bytes]:
    found = []
    while raw:  # Ends with the file.
        (size,) = struct.unpack_from("<I", raw)
        found.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return found


FRAMES: Final = _frames(Path(os.environ["BENCH_FRAMES_FILE"]).read_bytes())
_listeners: set[Send] = set()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Add a listener, or broadcast to all of them."""
    if scope["type"] == "websocket":
        await _listen(receive, send)
        return
    if scope["method"] == "POST":
        for each in list(_listeners):
            for frame in FRAMES:
                await each({"type": "websocket.send", "bytes": frame})
    await answer(send, 200, b"{}")


async def _listen(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    _listeners.add(send)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    _listeners.discard(send)
