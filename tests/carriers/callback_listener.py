"""An HTTP server that gives each callback to a carrier, and keeps what the carrier reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from parlour.channels.carrier import CallbackRefused, CallbackRequest, CallbackResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.channels.carrier import Carrier, DeliveryReport, InboundMessage

WAIT_SECONDS_MAX = 60


class CallbackListener:
    """Serves ``url`` on loopback; ``carrier`` is set before the first callback.

    ``refusals`` is the number of next callbacks that get 503, as if they could not be stored.
    """

    carrier: Carrier

    def __init__(self) -> None:
        self.inbound: list[InboundMessage] = []
        self.reports: list[DeliveryReport] = []
        self.requests: list[CallbackRequest] = []
        self.refusals = 0
        self._changed = asyncio.Condition()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/parlour/v1/Carriers/main"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()

    async def wait_for(self, is_complete: Callable[[], object]) -> None:
        """Return as soon as the callbacks make a condition true."""
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX), self._changed:
                await self._changed.wait_for(lambda: bool(is_complete()))
        except TimeoutError:
            raise AssertionError(f"{self.inbound} {self.reports} {self.requests}") from None

    async def wait_for_statuses(self, reference: str, *statuses: str) -> list[DeliveryReport]:
        """Return the reports of a reference once it has these statuses, in any order."""

        def found() -> list[DeliveryReport]:
            return [each for each in self.reports if each.reference == reference]

        await self.wait_for(lambda: {each.status for each in found()} >= set(statuses))
        return found()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while not writer.is_closing():
                response = await self._answer(await self._read(reader))
                head = f"HTTP/1.1 {response.status} X\r\nContent-Length: {len(response.body)}"
                writer.write(head.encode() + b"\r\n\r\n" + response.body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            self._writers.discard(writer)

    async def _read(self, reader: asyncio.StreamReader) -> CallbackRequest:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        origin, _, base = self.url.partition("/parlour")
        assert path.startswith("/parlour" + base), path
        rest = path.removeprefix("/parlour" + base).lstrip("/")
        return CallbackRequest(method, rest, origin + target, query, headers, body)

    async def _answer(self, request: CallbackRequest) -> CallbackResponse:
        self.requests.append(request)
        try:
            callback = await self.carrier.read_callback(request)
        except CallbackRefused as error:
            return CallbackResponse(error.status)
        if self.refusals:
            self.refusals -= 1
            return CallbackResponse(503)
        async with self._changed:
            self.inbound += callback.inbound
            self.reports += callback.reports
            self._changed.notify_all()
        return callback.response
