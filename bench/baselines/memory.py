"""Stand-in E: serves the requests of a client SDK's start from memory.

It fetches each response from Parlour once, at the first request for it, and then serves it from
this cache. So it shows how long the SDK itself needs to start, with exactly the responses that
Parlour returns.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect

from bench.baselines.update_handling import Receive, Scope, Send, answer
from bench.realtime.frames import frame, parsed

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

PARLOUR_URL = os.environ["BENCH_PARLOUR_URL"]
SUBSCRIBED = {"max_batch_size": 1000, "estimated_delivery_in_ms": 10_000, "ttl_in_s": -1}
Header = dict[str, Any]
Key = tuple[str, str, str]


class ResponseCache:
    """Cached responses by request, and the connection to Parlour for cache misses."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[Header, bytes]] = {}
        self._init_reply: Header = {}
        self._upstream: ClientConnection | None = None
        self._lock = asyncio.Lock()

    async def accepted(self, header: Header) -> Header:
        """Return the reply to a client's first frame, which is forwarded once."""
        if not self._init_reply:
            self._upstream = await connect(PARLOUR_URL, compression=None, max_size=None)
            self._init_reply, _ = await self._asked(header, b"")
        return self._init_reply | {"id": header["id"]}

    async def answered(self, header: Header, payload: bytes) -> tuple[Header, bytes]:
        """Return the reply to a request."""
        request = header["http_request"]
        key = (request["method"], request["path"], json.dumps(request["params"], sort_keys=True))
        if key not in self._known:
            async with self._lock:
                self._known[key] = await self._asked(header, payload)
        found, body = self._known[key]
        return found | {"id": header["id"]}, body

    async def _asked(self, header: Header, payload: bytes) -> tuple[Header, bytes]:
        assert self._upstream is not None
        await self._upstream.send(frame(header, payload))
        while True:  # Ends with the reply, which a server owes.
            raw = await self._upstream.recv()
            assert isinstance(raw, bytes)
            found, body = parsed(raw)
            if found["method"] == "reply" and found["id"] == header["id"]:
                return found, body


MEMORY = ResponseCache()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one client, or respond to the health check."""
    if scope["type"] == "http":
        await answer(send, 200, b"{}")
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        header, payload = parsed(message["bytes"])
        for each in await _replies(header, payload):
            await send({"type": "websocket.send", "bytes": each})


async def _replies(header: Header, payload: bytes) -> list[bytes]:
    method = header["method"]
    if method == "init":
        return [frame(await MEMORY.accepted(header))]
    if method != "message":
        return []
    if header["http_request"]["path"] == "/v4/Subscriptions":
        return _subscribed(header, json.loads(payload))
    return [frame(*await MEMORY.answered(header, payload))]


def _subscribed(header: Header, request: Header) -> list[bytes]:
    ok = {"code": 200, "status": "OK"}
    reply = {"method": "reply", "id": header["id"], "status": ok, "http_status": ok}
    reply |= {"http_headers": {"content-type": "application/json"}}
    established = {
        "event_type": "subscription_established",
        "correlation_id": request["correlation_id"],
        "event_protocol_version": 4,
        "events": [each | {"replay_status": "completed"} for each in request["requests"]],
    }
    notice = {
        "method": "notification",
        "id": header["id"] + "-established",
        "notification_ctx_id": "",
        "message_type": "twilio.sync.event",
    }
    typed = {"payload_type": "application/json"}
    return [
        frame(notice | typed, json.dumps(established).encode()),
        frame(reply | typed, json.dumps(SUBSCRIBED).encode()),
    ]
