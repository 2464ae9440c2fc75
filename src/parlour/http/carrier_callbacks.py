"""The endpoint of callbacks from carriers, below ``/parlour/v1/Carriers/{Name}``.

The caller is not authenticated until the carrier has verified the signature, which covers the body.
So the body is buffered in the partition of unauthenticated clients (`operations/buffers.py`), up to
the limit of all requests, and only a complete one takes a slot. A slot is held for the check and,
if the callback is genuine, for its transactions. Wrong signatures of one peer are throttled
(`http/callback_refusals.py`).

| result | response |
|---|---|
| stored, known already, or about an unknown message | the carrier's: 200 |
| no such carrier, or path of it | 404 |
| wrong signature | 403 |
| malformed, or larger than the limit | 400 |
| no free slot, or the store is unavailable | 503: the carrier redelivers |
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from parlour.http.messages import Response
from parlour.http.streams import read_body
from parlour.vocabulary import limits
from parlour.vocabulary.errors import RETRY_AFTER, ApiError, clear_tracebacks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.http.callback_refusals import CallbackRefusals
    from parlour.http.endpoint_routes import EndpointMatch
    from parlour.http.messages import Request
    from parlour.http.root_urls import RootUrls


class CallbackReply(Protocol):
    """The response of a carrier to a callback."""

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        ...

    @property
    def content_type(self) -> str:
        """Return the media type of the body."""
        ...

    @property
    def body(self) -> bytes:
        """Return the body."""
        ...


class CallbackReceiver(Protocol):
    """The carriers, as this endpoint sees them."""

    def has_carrier(self, name: str) -> bool:
        """Return whether there is a carrier with this name."""
        ...

    async def receive(
        self,
        name: str,
        path: str,
        *,
        method: str,
        url: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> CallbackReply:
        """Verify and store a callback; return after the commit.

        Raises ApiError 400, 403 and 404, Busy and Unavailable.
        """
        ...


class CarrierCallbackEndpoint:
    """Serves the callbacks of all carriers."""

    def __init__(
        self, receiver: CallbackReceiver, roots: RootUrls, refusals: CallbackRefusals
    ) -> None:
        self._receiver = receiver
        self._roots = roots
        self._refusals = refusals
        self._running: Counter[str] = Counter()

    async def respond(self, request: Request, match: EndpointMatch) -> Response:
        """Return the response to a callback. Raises ApiError, Busy and Unavailable."""
        request.has_unread_body = request.method == "POST"
        match.operation_for(request)
        name = match.names["Name"]
        if not self._receiver.has_carrier(name):
            raise ApiError.not_found(request.path)
        try:
            reply = await self._reply(request, match, name)
        except ApiError as error:
            if error.status != 403:
                raise
            # After the check, so that a genuine callback is never throttled; before the delay, the
            # body and the slots are released.
            clear_tracebacks(error)
            request.body = b""
            if request.work is not None:
                request.work.end()
                request.work = None
            return await self._refusals.refuse(request, name, error)
        headers = ((b"content-type", reply.content_type.encode("latin-1")),)
        return Response(reply.status, reply.body, headers)

    async def _reply(self, request: Request, match: EndpointMatch, name: str) -> CallbackReply:
        """Return the reply of the carrier, in a slot of it."""
        url = self._roots.of(request) + request.path
        body = await _body_of(request) if request.method == "POST" else b""
        if self._running[name] >= limits.CARRIER_CALLBACKS_RUNNING_MAX:
            raise ApiError(20503, headers=RETRY_AFTER)
        self._running[name] += 1
        try:
            return await self._receive(request, match, url, body)
        finally:
            self._running[name] -= 1

    async def _receive(
        self, request: Request, match: EndpointMatch, url: str, body: bytes
    ) -> CallbackReply:
        query = request.query.decode("latin-1")
        return await self._receiver.receive(
            match.names["Name"],
            match.names.get("Path", ""),
            method="GET" if request.method == "HEAD" else request.method,
            url=f"{url}?{query}" if query else url,
            query=query,
            headers=_headers_of(request),
            body=body,
        )


async def _body_of(request: Request) -> bytes:
    """Return the body. Raises 400 for one above the limit: carriers repeat after most others."""
    try:
        return await read_body(request)
    except ApiError as error:
        if error.status != 413:
            raise
        raise ApiError(20001, "The callback is too large.") from None


def _headers_of(request: Request) -> dict[str, str]:
    """Return the headers by lower-case name; of repeated ones the first."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in request.block.fields.items()
    }
