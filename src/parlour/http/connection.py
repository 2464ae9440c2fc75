"""One HTTP connection, with limits that the server software does not set by itself.

Size and number of headers, length of the URL, and the time until a request's head is complete:
a client that sends one byte a second is gone after ``HEAD_SECONDS_MAX``, and one that takes nothing
of an answer after ``SEND_STALL_SECONDS_MAX``. Refusals have the API's
shape, and come after the answers to what was asked before on the same connection: who sent a
change and then something broken learns of the change first.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    import asyncio


_VERSIONS: Final = frozenset({"1.0", "1.1"})
_UPLOAD: Final = re.compile(rb"/v1/Services/[^/?]+/Media(?:\?|\Z)")


def is_upload(url: bytes) -> bool:
    """Whether a request for this URL may have a body that takes long."""
    return _UPLOAD.match(url) is not None


ANSWER: Final = "parlour.answer"
"""Under this name a request's scope has what sends an answer at once; other servers lack it."""

_URL_TOO_LONG: Final = ApiError(20001, "The URL is too long", status=414)
_HEAD_TOO_LARGE: Final = ApiError(20001, "The headers are too large", status=431)
_URL_BYTES_MAX: Final = limits.URL_PATH_BYTES_MAX + limits.URL_QUERY_BYTES_MAX

# What a connection is in the middle of.
_NONE: Final = 0
_HEAD: Final = 1
_BODY: Final = 2


class LimitedProtocol(HttpToolsProtocol):
    """The server software's protocol, with limits."""

    _head_bytes = 0
    _has_begun = False
    _chunk_bytes = 0
    _part = _NONE
    _clock: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _refusal: bytes | None = None

    def connection_made(self, transport: Any) -> None:
        """Give a new connection the time of one head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_clock()
        self._stop_stall()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._clock = self.loop.call_later(limits.HEAD_SECONDS_MAX, self.transport.close)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def pause_writing(self) -> None:
        """The client does not take what is sent: it has some time to begin."""
        super().pause_writing()
        self._stall = self.loop.call_later(limits.SEND_STALL_SECONDS_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        """The client goes on."""
        super().resume_writing()
        self._stop_stall()

    def _stop_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless the request was refused already; what is not complete has its time.

        Most requests come whole, and no clock is started for them.
        """
        if self._refusal is not None:
            return
        was_in_head = self._part == _HEAD
        self._has_begun = False
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._part == _NONE or self._refusal is not None:
            return
        if self._part == _HEAD and was_in_head and not self._has_begun:
            self._head_bytes += len(data)
            if self._head_bytes > _URL_BYTES_MAX + limits.HEADER_BYTES_MAX:
                self._refuse(_URL_TOO_LONG if len(self.url) > _URL_BYTES_MAX else _HEAD_TOO_LARGE)
        elif self._clock is None:
            seconds = limits.HEAD_SECONDS_MAX if self._part == _HEAD else self._seconds_max()
            self._clock = self.loop.call_later(seconds, self.transport.close)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_bytes = 0
        self._part = _HEAD
        self._has_begun = True

    def on_headers_complete(self) -> None:
        """The head is there: the request may be served, and its body has its own time."""
        if self._clock is not None:
            self._stop_clock()
        self._part = _BODY
        if len(self.url) > _URL_BYTES_MAX:
            self._refuse(_URL_TOO_LONG)
        elif len(self.headers) > limits.HEADERS_MAX or self._is_head_too_large():
            self._refuse(_HEAD_TOO_LARGE)
        elif self.parser.get_http_version() not in _VERSIONS:
            self.send_400_response("")
        if self._refusal is None:
            super().on_headers_complete()
            cast("dict[str, Any]", self.scope)[ANSWER] = partial(self._answer, self.cycle)

    def _is_head_too_large(self) -> bool:
        """Whether the headers are; those that came in few bytes need not be counted."""
        if self._head_bytes + self._chunk_bytes <= limits.HEADER_BYTES_MAX and self._has_begun:
            return False
        return sum(len(name) + len(value) for name, value in self.headers) > limits.HEADER_BYTES_MAX

    async def _answer(
        self, cycle: RequestResponseCycle, status: int, lines: bytes, body: bytes
    ) -> None:
        """Send a whole answer at once: header lines that are right as they are, and a body.

        The server software looks at each byte of each header, which took longer than the fetch
        of a row.
        """
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if cycle.disconnected:
            return
        assert not cycle.response_started
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        parts = [STATUS_LINE[status]]
        for name, value in cycle.default_headers:
            parts += (name, b": ", value, b"\r\n")
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((*parts, lines, end, body)))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _seconds_max(self) -> float:
        """How long a body may take; whoever takes an upload looks after its pace as well."""
        return limits.UPLOAD_SECONDS_MAX if is_upload(self.url) else limits.REQUEST_SECONDS_MAX

    def _should_upgrade(self) -> bool:
        """Whether it is a handshake: only a GET is; of any other request the wish is ignored."""
        return bool(super()._should_upgrade()) and self.parser.get_method() == b"GET"

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; from now on its time is the other protocol's."""
        self._stop_clock()
        self._part = _NONE
        super().handle_websocket_upgrade()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._clock is not None:
            self._stop_clock()
        self._part = _NONE
        if self._refusal is None:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is out: the next request begins, or a refusal that had to wait follows."""
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._refusal is not None:
            self._hang_up(self._refusal)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        del msg
        self._refuse(ApiError(20001, "Invalid HTTP request"))

    def _refuse(self, error: ApiError) -> None:
        """Answer in the API's shape, after whatever was asked before, and close."""
        if self._refusal is not None:
            return
        self._stop_clock()
        body = json.dumps(error.body()).encode()
        self._refusal = (
            STATUS_LINE[error.status]
            + b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
            + b"connection: close\r\n\r\n"
            + body
        )
        if not self._owes_answers():
            self._hang_up(self._refusal)

    def _owes_answers(self) -> bool:
        """Whether whole requests wait for their answers; a broken one among them is dropped."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        if cycle.more_body and self.pipeline:
            self.pipeline.popleft()
            return True
        return bool(self.pipeline) or not cycle.more_body

    def _hang_up(self, refusal: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(refusal)
            self.transport.close()
