"""Requests and responses, and the exchange that connects them to a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from parlour.protocol.header_block import NO_HEADERS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from parlour.http.endpoint_routes import EndpointMatch
    from parlour.operations.caller import Caller
    from parlour.operations.operation import Operation
    from parlour.operations.work_limit import WorkSlot
    from parlour.protocol.forms import FormFields
    from parlour.protocol.header_block import HeaderBlock
    from parlour.store.transaction import Busy, Unavailable
    from parlour.vocabulary.errors import ApiError

    Headers = tuple[tuple[bytes, bytes], ...]

encode: Final = msgspec.json.Encoder().encode
JSON: Final = (b"content-type", b"application/json")
_JSON_ALONE: Final = (JSON,)
_NO_FORM: Final[FormFields] = {}


class ClientDisconnectedError(Exception):
    """The client disconnected, or was disconnected, before its request was complete."""

    def __init__(self, fault: str | None = None) -> None:
        """``fault``: the name of the fault of test mode that disconnected it."""
        super().__init__()
        self.fault = fault


class Exchange(Protocol):
    """The connection, as seen by a request and its response.

    Reading a body and writing a part of a response raise ClientDisconnectedError
    once the client has disconnected.
    """

    scheme: str
    peer: str
    is_write_paused: bool
    """Whether the kernel has not taken all written bytes yet."""

    @property
    def can_chunk(self) -> bool:
        """Whether the client understands a response in chunks: not over HTTP/1.0."""
        ...

    async def read_body(self) -> bytes:
        """Return the whole body. Raises ApiError 400, 408, 413 and 503."""
        ...

    async def read_piece(self) -> bytes:
        """Return the next part of a streamed body; empty after the last."""
        ...

    def start_response(self, status: int, lines: bytes, body: bytes, *, closes: bool) -> None:
        """Send header lines, each with its CRLF, and a body or its first part."""
        ...

    def write(self, piece: bytes) -> None:
        """Write a further part of the body."""
        ...

    async def reserve_buffer(self, size: int) -> None:
        """Wait until the buffer pool has room for a large response. Raises ApiError 503."""
        ...

    def assign_account(self, account_sid: str, identity: str) -> None:
        """Reserve the buffers of the connection for this account and user. Raises ApiError 503."""
        ...

    async def flush(self) -> None:
        """Wait until the kernel has every byte that was written."""
        ...

    def finish(self) -> None:
        """Continue with the next request; abort the connection if no response was sent."""
        ...

    def abort(self) -> None:
        """Abort the connection; unsent bytes are lost."""
        ...

    def reset(self) -> None:
        """Abort the connection as `abort`, so that the client sees a reset."""
        ...


class Request:
    """One request: its head, and its body once it was read.

    ``path`` is not decoded; of repeated headers the first counts.
    ``body`` is the body of a POST, once ``has_body`` is set. ``has_unread_body``: the response may
    be sent before the end of a long body. ``shared_headers`` replace the default headers of
    responses. ``peer`` is the address of the TCP peer; empty without one.
    """

    # A request may hold two slots, which ``HttpServer.release`` releases: ``work`` while it runs,
    # and ``admitted_as`` until its response is sent (request_slots.py). ``caller`` is None until it
    # is authenticated.
    __slots__ = (
        "_fields",
        "admitted_as",
        "block",
        "body",
        "caller",
        "endpoint",
        "exchange",
        "form",
        "has_body",
        "has_unread_body",
        "is_running",
        "login_error",
        "method",
        "on_discard",
        "operation_id",
        "path",
        "peer",
        "query",
        "request_sid",
        "scheme",
        "session",
        "shared_headers",
        "started_ms",
        "work",
    )

    def __init__(
        self,
        method: str,
        path: str,
        query: bytes,
        block: HeaderBlock,
        exchange: Exchange,
        endpoint: EndpointMatch | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.block = block
        self._fields = block.fields
        self.exchange = exchange
        self.scheme = exchange.scheme
        self.peer = exchange.peer
        self.body = b""
        self.has_body = False
        self.request_sid = ""
        self.started_ms = 0.0
        self.endpoint = endpoint
        """Its route, if an endpoint other than the router serves it."""
        self.has_unread_body = False
        self.admitted_as: Caller | None = None
        """The caller whose admission slot it holds."""
        self.session: RequestSession | None = None
        """The session of the console that authenticates it, instead of its headers."""
        self.shared_headers: Headers | None = None
        self.caller: Caller | None = None
        self.login_error: ApiError | Busy | Unavailable | None = None
        """The error of the lookup of its login."""
        self.operation_id = ""
        self.form: FormFields = _NO_FORM
        """Its form or query, if the journal records it."""
        self.work: WorkSlot | None = None
        self.on_discard: Callable[[], None] | None = None
        """Called when the client disconnects while the request waits."""
        self.is_running = False
        """Whether it has started; before that it may be queued."""

    def discard(self) -> None:
        """Discard the bytes of a disconnected client: its reservation in the buffer pool is closed.

        Reading the body raises from now on. The head of a running request belongs to its call.
        """
        self.body = b""
        self.has_body = False
        if self.on_discard is not None:
            self.on_discard()
        if not self.is_running:
            self.path, self.query, self.block, self._fields = "", b"", NO_HEADERS, NO_HEADERS.fields

    def header(self, name: bytes) -> str | None:
        """Return a header by its lower-case name."""
        value = self._fields.get(name)
        return None if value is None else value.decode("latin-1")

    def has_any_header(self, names: frozenset[bytes]) -> bool:
        """Return whether the request has one of these headers, by their lower-case names."""
        return not names.isdisjoint(self._fields)

    def header_values(self, name: bytes) -> list[str]:
        """Return all values of a header by its lower-case name, in the order of the request."""
        first = self._fields.get(name)
        if first is None:
            return []
        lines = [first, *(value for each, value in self.block.repeated if each == name)]
        return [value.decode("latin-1") for value in lines]


class RequestSession(Protocol):
    """The session of the console that a request belongs to (parlour/console/gate.py).

    It holds the slot of the request, in a separate class.
    """

    @property
    def caller(self) -> Caller:
        """The caller on whose behalf the request runs."""
        ...

    async def check(self) -> None:
        """Raise ApiError if the session has ended."""
        ...

    def on_end(self, end: Callable[[], None] | None) -> None:
        """Set the callback for the end of the session in this process."""
        ...

    def leave(self) -> None:
        """Release the slot of the request, unless it is released already."""
        ...


class RequestHook(Protocol):
    """Runs a request whose caller and operation are known, in place of the server.

    Raises ApiError, and ClientDisconnectedError if it has aborted the connection.
    """

    async def __call__(
        self,
        request: Request,
        operation: Operation,
        caller: Caller,
        run: Callable[[], Awaitable[Response]],
        /,
    ) -> Response:
        """Return the response; ``run`` returns the response of the server. Raises ApiError."""
        ...


class BodyStream(NamedTuple):
    """A response body that is sent in parts, and the callback that releases its source.

    ``length`` is None if it is not known: the body is sent in chunks, or over HTTP/1.0 ends with
    the connection. Then no part is empty.
    """

    length: int | None
    pieces: AsyncGenerator[bytes, None]
    close: Callable[[], Awaitable[None]]


class Response(msgspec.Struct, frozen=True):
    """One response: its status, its body, and its own headers.

    ``stream`` replaces the body of a response that is sent in parts; ``length`` is the length of a
    body that is not sent, because the method is HEAD. ``closes``: the connection ends
    with it, and the rest of the request's body is not read.
    """

    status: int
    body: bytes = b""
    headers: Headers = _JSON_ALONE
    stream: BodyStream | None = None
    length: int | None = None
    closes: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is a complete JSON body without additional headers."""
        return self.headers is _JSON_ALONE and self.stream is None and self.length is None

    @property
    def content_length(self) -> int | None:
        """The length of the body, sent or not; None if it is not known."""
        if self.length is not None:
            return self.length
        return len(self.body) if self.stream is None else self.stream.length


NO_CONTENT: Final = Response(204, headers=())


def error_response(error: ApiError) -> Response:
    """Return the response for an error, in the format of the API."""
    extra = tuple(
        (name.lower().encode(), text.encode("latin-1")) for name, text in error.headers.items()
    )
    return Response(
        error.status,
        encode(error.body()),
        (JSON, *extra) if extra else _JSON_ALONE,
        closes=error.status in {408, 413},
    )
