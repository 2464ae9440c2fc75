"""Listens as one connection, to learn the frames of a message."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from websockets.sync.client import connect

from bench.api_client import KeepAliveApi
from bench.realtime import frames
from bench.realtime.listeners import BODY

if TYPE_CHECKING:
    from bench.realtime.listeners import ListenerConversation

QUIET_SECONDS = 1.0
LISTEN_SECONDS_MAX = 10.0


class ProbeError(Exception):
    """The server rejected the SDK's frames, or sent a listener nothing."""


def frames_of_a_message(conversation: ListenerConversation) -> list[bytes]:
    """Return the frames that one listener receives for one message."""
    url = f"ws://127.0.0.1:{conversation.process.port}/v3/wsconnect"
    with connect(url, compression=None, max_size=None) as socket:
        for each in conversation.script(0):
            socket.send(each)
            while (header := _header(socket.recv()))["method"] != "reply":
                continue
            answered = [header["status"], header.get("http_status", header["status"])]
            if any(status["code"] >= 300 for status in answered):
                raise ProbeError(f"{each[:300]!r}: {header}")
        _drain(socket.recv)
        with KeepAliveApi(conversation.process.port, conversation.credentials) as api:
            path = f"/v1/Conversations/{conversation.conversation_sid}/Messages"
            api.post(path, Author="system", Body=BODY)
        event_frames = [raw for raw in _drain(socket.recv) if b"com.twilio.rtd.cds." in raw]
    if not any(b"com.twilio.rtd.cds.list" in raw for raw in event_frames):
        raise ProbeError("a listener did not receive a message")
    return event_frames


def _header(raw: str | bytes) -> dict[str, object] | dict[str, dict[str, int]]:
    assert isinstance(raw, bytes), "every message is binary"
    return frames.parsed(raw)[0]


def _drain(receive: object) -> list[bytes]:
    """Return the frames until none arrives for some time."""
    found: list[bytes] = []
    end = time.monotonic() + LISTEN_SECONDS_MAX
    while time.monotonic() < end:
        try:
            raw = receive(timeout=QUIET_SECONDS)
        except TimeoutError:
            break
        found.append(raw)
    return found
