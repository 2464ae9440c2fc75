"""What an HTTP exchange is to the edge: a request, read; a reply, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping

    from parlour.operations.caller import Caller
    from parlour.vocabulary.errors import ApiError

    AsgiScope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Headers = tuple[tuple[bytes, bytes], ...]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

encode: Final = msgspec.json.Encoder().encode
JSON: Final = (b"content-type", b"application/json")
_JSON_ALONE: Final = (JSON,)


class GoneError(Exception):
    """The client hung up before its request was complete: nobody waits for an answer."""


class Request:
    """One request: its head, and its body once it was read.

    ``path`` is as it was sent, percent-encoding and all; of repeated headers the last counts.
    ``is_unread`` says that a long body may still be coming while the answer leaves already;
    ``shared_headers`` are those of all answers of one kind, if not the usual ones.
    """

    __slots__ = (
        "_headers",
        "body",
        "caller",
        "is_unread",
        "method",
        "operation_id",
        "path",
        "query",
        "receive",
        "request_sid",
        "scheme",
        "scope",
        "shared_headers",
        "started_ms",
    )

    def __init__(
        self, scope: AsgiScope, receive: Receive, request_sid: str, started_ms: float
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.request_sid = request_sid
        self.started_ms = started_ms
        self.method: str = scope["method"]
        self.path: str = scope["raw_path"].decode("utf-8", "surrogateescape")
        self.query: bytes = scope["query_string"]
        self.scheme: str = scope["scheme"]
        # Of a header that comes twice the first counts, here as in what may stand in front.
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        self.body = b""
        self.is_unread = False
        self.shared_headers: Headers | None = None
        self.caller: Caller | None = None
        self.operation_id = ""

    @property
    def needs_its_own_head(self) -> bool:
        """Whether its answer has other headers than most."""
        return self.is_unread or self.shared_headers is not None

    @property
    def peer(self) -> str:
        """The address of the TCP peer as text; empty where there is none."""
        client = self.scope.get("client")
        return client[0] if client else ""

    def header(self, name: bytes) -> str | None:
        """A header by its lower-case name."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")


class Content(NamedTuple):
    """Bytes that follow the head of an answer in pieces, and how to let go of their source."""

    length: int
    pieces: AsyncGenerator[bytes, None]
    close: Callable[[], Awaitable[None]]


class Reply(msgspec.Struct, frozen=True):
    """One answer: its status, its body, and the headers that not every answer has.

    ``content`` stands for the body of an answer that is sent in pieces; ``length`` is that of a
    body that is not sent, because only the head was asked for.
    """

    status: int
    body: bytes = b""
    headers: Headers = _JSON_ALONE
    content: Content | None = None
    length: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is JSON, whole, and has no header of its own."""
        return self.headers is _JSON_ALONE and self.content is None and self.length is None

    @property
    def content_length(self) -> int:
        """How many bytes the body has, or would have."""
        if self.length is not None:
            return self.length
        return len(self.body) if self.content is None else self.content.length


NO_CONTENT: Final = Reply(204, headers=())


def refusal(error: ApiError) -> Reply:
    """The answer for a refusal, in the API's own shape."""
    extra = tuple(
        (name.lower().encode(), text.encode("latin-1")) for name, text in error.headers.items()
    )
    if error.status in {408, 413}:
        extra += ((b"connection", b"close"),)  # The rest of the body is not wanted.
    return Reply(error.status, encode(error.body()), (JSON, *extra) if extra else _JSON_ALONE)
