"""The request log: requests and responses of the clients, synced before a response counts.

One record per line: a request about to be sent, its complete response, or a note about the server.
A request without a response was in flight when the server crashed: its outcome is unknown, but
atomic. Several writers share one sync.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request of the workload, and the expected object after it."""

    operation: str
    kind: str
    verb: str
    path: str
    form: tuple[tuple[str, str], ...] = ()
    # The object that is changed or deleted; a create gets it from the response.
    sid: str = ""
    # The objects below which this one lives: deleting any of them deletes it.
    parents: tuple[str, ...] = ()
    # Field of the response (dots descend into objects) -> expected value afterwards.
    changes: dict[str, Any] = {}
    # The valid statuses; any other is a difference.
    statuses: tuple[int, ...] = (200,)

    @property
    def method(self) -> str:
        """Return the HTTP method."""
        return "DELETE" if self.verb == "delete" else "POST"


class RequestRecord(msgspec.Struct, frozen=True, tag="request"):
    """A request that is about to be sent."""

    number: int
    writer: int
    at_ms: int
    step: Step


class ResponseRecord(msgspec.Struct, frozen=True, tag="response"):
    """The response to the request of the same number, read completely."""

    number: int
    at_ms: int
    status: int
    body: dict[str, Any] | None


class ServerNote(msgspec.Struct, frozen=True, tag="note"):
    """An event in the server's life, such as a kill or a restart."""

    at_ms: int
    text: str


Line = RequestRecord | ResponseRecord | ServerNote


def wall_ms() -> int:
    """Return the wall clock, in ms since 1970."""
    return time.time_ns() // 1_000_000


class RequestLog:
    """The append-only file; its methods are thread-safe."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._encode = msgspec.json.Encoder().encode
        self._writing = threading.Lock()
        self._syncing = threading.Lock()
        self._written = 0
        self._synced = 0
        self._numbers = 0

    def record_request(self, writer: int, step: Step) -> int:
        """Record a request before it is sent; return its number."""
        with self._writing:
            self._numbers += 1
            self._append(RequestRecord(self._numbers, writer, wall_ms(), step))
            return self._numbers

    def record_response(self, number: int, status: int, body: dict[str, Any] | None) -> None:
        """Record a response; on return it is on disk."""
        with self._writing:
            self._append(ResponseRecord(number, wall_ms(), status, body))
            mine = self._written
        self._sync(mine)

    def note(self, text: str) -> None:
        """Record an event in the server's life."""
        with self._writing:
            self._append(ServerNote(wall_ms(), text))

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _append(self, line: Line) -> None:
        os.write(self._fd, self._encode(line) + b"\n")
        self._written += 1

    def _sync(self, mine: int) -> None:
        """Sync unless another writer's sync has already covered this line."""
        with self._syncing:
            if self._synced >= mine:
                return
            through = self._written
            os.fdatasync(self._fd)
            self._synced = through


def read_request_log(path: Path) -> list[Line]:
    """Return all lines of a request log, in the order they were written."""
    decode = msgspec.json.Decoder(Line).decode
    return [decode(line) for line in path.read_bytes().splitlines()]
