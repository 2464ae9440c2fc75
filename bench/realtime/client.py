"""Runs the load client of the socket: prepared connections in, deliveries and latencies out."""

from __future__ import annotations

import select
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from bench.compiler import compiled
from bench.processes import pinned_to

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCE = Path(__file__).with_name("sockets.c")
ANSWER_SECONDS_MAX = 660.0

HTTP = b"H"
SOCKET = b"S"


class SocketsError(Exception):
    """The load client ended, or printed nothing within the timeout."""


class DeliveryTimes(msgspec.Struct, frozen=True):
    """The result of one measurement; times in microseconds, from when a message was due.

    A delivery is one frame about a realtime object; ``last_…`` are of the last connection that
    receives each message.
    """

    listeners: int
    seconds: float
    messages: int
    frames: int
    message_frames: int
    bytes: int
    p50_us: int
    p99_us: int
    max_us: int
    last_p50_us: int
    last_p99_us: int
    cpu_seconds: float
    refusals: int
    healthy_closed: int
    stalled_closed: int

    @property
    def rate(self) -> float:
        """Return deliveries per second."""
        return self.frames / self.seconds


def chunks(texts: Iterable[bytes]) -> bytes:
    """Prefix each with its length (4 bytes, little-endian)."""
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def write_scripts(path: Path, scripts: list[list[bytes]]) -> None:
    """Write the first frames of each connection: their number, and the frames."""
    path.write_bytes(b"".join(struct.pack("<I", len(each)) + chunks(each) for each in scripts))


def write_trigger(path: Path, kind: bytes, requests: list[bytes]) -> None:
    """Write what makes the server broadcast: by HTTP, or by the last connection."""
    path.write_bytes(kind + chunks(requests))


class Sockets:
    """One running load client and its connections."""

    def __init__(self, port: int, scripts: Path, trigger: Path, cores: frozenset[int]) -> None:
        command = [str(compiled(SOURCE)), str(port), str(scripts), str(trigger)]
        with pinned_to(cores):
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                bufsize=1,
            )

    def connect(self, count: int, *, tight: int = 0) -> DeliveryTimes:
        """Open connections up to this many; the first ``tight`` with small buffers."""
        return self._send_request(f"connect {count} {tight}")

    def stall(self, count: int) -> DeliveryTimes:
        """Let the first connections stop reading, permanently."""
        return self._send_request(f"stall {count}")

    def fanout(self, messages: int, frames: int) -> DeliveryTimes:
        """Send messages one after another, each with so many frames to every connection."""
        return self._send_request(f"fanout {messages} {frames}")

    def rate(self, per_second: float, seconds: float) -> DeliveryTimes:
        """Send messages at fixed times, regardless of the results of earlier ones."""
        return self._send_request(f"rate {per_second} {seconds}")

    def _send_request(self, command: str) -> DeliveryTimes:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(command + "\n")
        poll = select.poll()  # select() takes no descriptor above 1,023.
        poll.register(self._child.stdout, select.POLLIN)
        ready = poll.poll(ANSWER_SECONDS_MAX * 1000)
        line = self._child.stdout.readline() if ready else ""
        if not line:
            self._child.kill()
            raise SocketsError(f"{command}: {self._child.communicate()[1][-2000:]}")
        return msgspec.json.decode(line, type=DeliveryTimes)

    def close(self) -> None:
        """Stop it, and with it every connection."""
        self._child.kill()
        self._child.communicate()

    def __enter__(self) -> Self:
        """Return the running client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.close()
