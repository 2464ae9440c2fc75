"""What an HTTP exchange is to the edge: a request, read; a reply, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from parlour.operations.caller import Caller
    from parlour.vocabulary.errors import ApiError

    AsgiScope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

encode: Final = msgspec.json.Encoder().encode
JSON: Final = (b"content-type", b"application/json")


class Request:
    """One request: its head, and its body once it was read.

    ``path`` is as it was sent, percent-encoding and all; of repeated headers the last counts.
    """

    __slots__ = (
        "_headers",
        "body",
        "caller",
        "method",
        "operation_id",
        "path",
        "query",
        "receive",
        "request_sid",
        "scheme",
        "scope",
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
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self.body = b""
        self.caller: Caller | None = None
        self.operation_id = ""

    def header(self, name: bytes) -> str | None:
        """A header by its lower-case name."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")


class Reply(msgspec.Struct, frozen=True):
    """One answer: its status, its body, and the headers that not every answer has."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)


NO_CONTENT: Final = Reply(204, headers=())


def refusal(error: ApiError) -> Reply:
    """The answer for a refusal, in the API's own shape."""
    extra = tuple(
        (name.lower().encode(), text.encode("latin-1")) for name, text in error.headers.items()
    )
    if error.status in {408, 413}:
        extra += ((b"connection", b"close"),)  # The rest of the body is not wanted.
    return Reply(error.status, encode(error.body()), (JSON, *extra))
