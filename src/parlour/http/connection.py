"""One HTTP connection, with limits that the server software does not set by itself.

Size and number of headers, length of the URL, and the time until a request's head is complete:
a client that sends one byte a second is gone after ``HEAD_SECONDS_MAX``. Refusals have the API's
shape.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    import asyncio


class LimitedProtocol(HttpToolsProtocol):
    """The server software's protocol, with limits."""

    _head_bytes = 0
    _clock: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: Any) -> None:
        """Give a new connection the time of one head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._clock = self.loop.call_later(limits.HEAD_SECONDS_MAX, self.transport.close)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless the request was refused already."""
        if not self._refused:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_bytes = 0
        if self._clock is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL, within its limit."""
        super().on_url(url)
        if len(self.url) > limits.URL_PATH_BYTES_MAX + limits.URL_QUERY_BYTES_MAX:
            self._refuse(ApiError(20001, "The URL is too long", status=414))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, within the limits of the head."""
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > limits.HEADER_BYTES_MAX or len(self.headers) > limits.HEADERS_MAX:
            self._refuse(ApiError(20001, "The headers are too large", status=431))

    def on_headers_complete(self) -> None:
        """The head is there: the request may be served, and its body has its own time."""
        self._stop_clock()
        self._clock = self.loop.call_later(limits.REQUEST_SECONDS_MAX, self.transport.close)
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._stop_clock()
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        del msg
        self._refuse(ApiError(20001, "Invalid HTTP request"))

    def _refuse(self, error: ApiError) -> None:
        """Answer in the API's shape and close."""
        if self._refused:
            return
        self._refused = True
        self._stop_clock()
        body = json.dumps(error.body()).encode()
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
            + b"connection: close\r\n\r\n"
            + body
        )
        self.transport.close()
