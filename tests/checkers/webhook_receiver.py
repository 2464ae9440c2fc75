"""A webhook receiver in a separate process: records, delays, rejects, and can be killed.

The path of a request selects the behaviour, so one process serves many cases:
``/ok``, ``/status/503``, ``/slow/200`` (milliseconds), ``/hang``, ``/fail/2/503`` (the first two
attempts of a delivery fail, by its RetryCount), ``/say/%7B%7D`` (responds with this body),
``/echo/x-name/200`` (responds with the value of that header, after milliseconds). Anything after
these is free: ``/ok/7``.
A request is recorded before its response, so a kill loses no record.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from tests.support.ports import port_for_good
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from types import TracebackType

START_SECONDS_MAX = 10.0
HANG_SECONDS = 60.0
RECEIVED = b"received"


@dataclass(frozen=True)
class Line:
    """One received request: its time (seconds since 1970) and contents."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    parameters: dict[str, str]

    @property
    def token(self) -> str:
        """Return the idempotency token, which identifies duplicates."""
        return self.headers["i-twilio-idempotency-token"]

    @property
    def event(self) -> str:
        """Return the event's name."""
        return self.parameters["EventType"]

    @property
    def retry_count(self) -> int:
        """Return the number of the attempt."""
        return int(self.parameters["RetryCount"])


class WebhookReceiver:
    """The receiver process. It keeps its port and its record over restarts."""

    def __init__(self, folder: Path) -> None:
        self.record = folder / "received.jsonl"
        self.record.touch()
        self.port = port_for_good().number
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def url(self, path: str = "/ok") -> str:
        """Return a URL of the receiver."""
        return f"http://127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Start the process, and wait until it listens."""
        assert self._process is None
        command = [
            sys.executable,
            "-m",
            "tests.checkers.webhook_receiver",
            str(self.port),
            str(self.record),
        ]
        self._process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"listening\n"

    def kill(self) -> None:
        """Kill the process: connections are refused until the next start."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def lines(self, path: str = "") -> list[Line]:
        """Return the requests received so far, in order, by the prefix of their paths."""
        # Without the last line if it is still being written.
        texts = self.record.read_text().rpartition("\n")[0].splitlines()
        found = (Line(**json.loads(text)) for text in texts)
        return [line for line in found if line.path.startswith(path)]


class _Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, record: int) -> None:
        self._record = record
        self._bytes = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        head, end, rest = self._bytes.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._bytes = rest[length:]
        method, target, _ = first.split(" ")
        self._received(method, target, headers, rest[:length].decode())

    def _received(self, method: str, target: str, headers: dict[str, str], body: str) -> None:
        parts = urlsplit(target)
        parameters = dict(parse_qsl(parts.query) + parse_qsl(body))
        line = Line(time.time(), method, parts.path, headers, parameters)
        os.write(self._record, (json.dumps(vars(line)) + "\n").encode())
        what, *rest = parts.path.strip("/").split("/")
        seconds, status = _behaviour(what, rest, line)
        response_body = _response_body(what, rest, line)
        if not seconds:
            self._answer(status, response_body)
            return
        task = asyncio.ensure_future(self._answer_later(seconds, status, response_body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_later(self, seconds: float, status: int, body: bytes) -> None:
        await asyncio.sleep(seconds)
        self._answer(status, body)

    def _answer(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def _behaviour(what: str, rest: list[str], line: Line) -> tuple[float, int]:
    """Return delay and status."""
    if what == "status":
        return 0.0, int(rest[0])
    if what == "slow":
        return int(rest[0]) / 1000, 200
    if what == "echo":
        return int(rest[1]) / 1000, 200
    if what == "hang":
        return HANG_SECONDS, 200
    if what == "fail" and line.retry_count < int(rest[0]):
        return 0.0, int(rest[1])
    return 0.0, 200


def _response_body(what: str, rest: list[str], line: Line) -> bytes:
    """Return the body of a response."""
    if what == "say":
        return unquote_to_bytes(rest[0])
    return line.headers[rest[0]].encode() if what == "echo" else RECEIVED


async def _serve(port: int, path: Path) -> None:
    record = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    loop: Any = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(record), "127.0.0.1", port, backlog=1024)
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
