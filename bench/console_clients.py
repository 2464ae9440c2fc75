"""Consoles without a browser: the requests of open pages, at little cost for the machine.

python -m bench.console_clients PORT ACCOUNT_SID AUTH_TOKEN COUNT

Each signs in, follows the events of its account by a stream, and loads the summaries of changed
conversations again, as the list of conversations does (console/static/live.js): batches at most
ten times a second, one load at a time, and an interval in proportion after each. Prints a line
when all streams are open, and the number of their requests and bytes when its input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from typing import Final
from urllib.parse import urlencode

ROOT: Final = "/parlour/console"
DRAW_SECONDS: Final = 0.1
PAUSE_MAX_SECONDS: Final = 2.0
PAUSE_FACTOR: Final = 30
SIDS_MAX: Final = 50
READ_BYTES: Final = 65_536
_CONVERSATION: Final = re.compile(rb'"conversation_sid":"(CH[0-9a-f]{32})"')
_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_COOKIE: Final = re.compile(rb"set-cookie: ([^;\r]+)", re.IGNORECASE)


class OpenConsole:
    """One page with a session, a stream and the list of conversations."""

    def __init__(self, port: int, account_sid: str, auth_token: str) -> None:
        self._port = port
        self._account_sid = account_sid
        self._auth_token = auth_token
        self._changed: set[bytes] = set()
        self._cookie = b""
        self.requests = self.stream_bytes = 0

    async def open(self) -> None:
        """Sign in, and open the stream."""
        form = urlencode({"Name": self._account_sid, "Secret": self._auth_token}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = await self._send(reader, writer, f"POST {ROOT}/session", form)
        found = _COOKIE.search(head)
        assert found is not None, head
        self._cookie = found[1]
        self._connection = (reader, writer)
        self._stream, stream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        path = f"GET {ROOT}/api/{self._account_sid}/parlour/v1/Events"
        stream_writer.write(self._head(path, b"Accept: text/event-stream\r\n"))
        head = await self._stream.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        self._stream_writer = stream_writer

    async def follow(self) -> None:
        """Read the stream, and load changed conversations, until cancelled."""
        await asyncio.gather(self._read(), self._refresh())

    async def _read(self) -> None:
        while data := await self._stream.read(READ_BYTES):
            self.stream_bytes += len(data)
            self._changed.update(_CONVERSATION.findall(data))

    async def _refresh(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(DRAW_SECONDS)
            changed, self._changed = [each.decode() for each in self._changed], set()
            begin = loop.time()
            for start in range(0, len(changed), SIDS_MAX):
                query = urlencode([("Sid", each) for each in changed[start : start + SIDS_MAX]])
                path = f"{ROOT}/api/{self._account_sid}/parlour/v1/ConversationSummaries?{query}"
                await self._send(*self._connection, f"GET {path}")
                self.requests += 1
            pause = PAUSE_FACTOR * (loop.time() - begin)
            await asyncio.sleep(min(PAUSE_MAX_SECONDS, pause))

    def _head(self, line: str, more: bytes = b"") -> bytes:
        own = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nParlour-Console: 1\r\n".encode()
        cookie = b"Cookie: %s\r\n" % self._cookie if self._cookie else b""
        return own + b"Sec-Fetch-Site: same-origin\r\n" + cookie + more + b"\r\n"

    async def _send(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line: str,
        form: bytes = b"",
    ) -> bytes:
        more = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n"
        writer.write(self._head(line, more % len(form) if form else b"") + form)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 20"), head
        length = _LENGTH.search(head)
        assert length is not None, head
        await reader.readexactly(int(length[1]))
        return head


async def run(port: int, account_sid: str, auth_token: str, count: int) -> None:
    """Open so many consoles, and follow until the input ends."""
    consoles = [OpenConsole(port, account_sid, auth_token) for _ in range(count)]
    for each in consoles:
        await each.open()
    tasks = [asyncio.create_task(each.follow()) for each in consoles]
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    done = [each for each in tasks if each.done()]
    for each in tasks:
        each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await each
    assert not done, "a stream has ended"
    result = {
        "requests": sum(each.requests for each in consoles),
        "stream_bytes": sum(each.stream_bytes for each in consoles),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
