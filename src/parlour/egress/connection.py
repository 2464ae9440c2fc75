"""One outbound HTTP/1.1 connection: writes a request, reads its response within limits.

Responses are parsed by llhttp, in its strict mode. The memory is bounded: the head and the first
bytes of the body are stored, trailers are not. A connection is reused only if its last response was
complete by HTTP's framing and no byte followed it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Final, Protocol, cast

import httptools

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

CODE_CONNECT: Final = 11205
CODE_PROTOCOL: Final = 11206
CODE_DNS: Final = 11210
CODE_TLS: Final = 11220
CODE_CERTIFICATE_NAME: Final = 11235
CODE_CERTIFICATE_EXPIRED: Final = 11236
CODE_CERTIFICATE_ISSUER: Final = 11237
CODE_TIMEOUT: Final = 50076

# OpenSSL's verification error numbers (X509_V_ERR_*).
_CERTIFICATE_CODES: Final = {
    9: CODE_CERTIFICATE_EXPIRED,
    10: CODE_CERTIFICATE_EXPIRED,
    62: CODE_CERTIFICATE_NAME,
    64: CODE_CERTIFICATE_NAME,
}
# Bytes on the wire for one byte of a body, in the smallest chunks.
_CHUNKING_FACTOR: Final = 8


class EgressFailed(Exception):  # noqa: N818 - it is an outcome that callers expect.
    """The request got no response: the kind of failure, and its code for the log.

    Kinds: dns, connect, tls, timeout, protocol, and busy: no slot was free, and nothing was sent.
    """

    def __init__(self, kind: str, code: int, detail: str = "") -> None:
        super().__init__(f"{code}: {kind} {detail}".rstrip())
        self.kind = kind
        self.code = code
        self.detail = detail


class StaleConnection(Exception):  # noqa: N818 - the expected end of an idle connection.
    """The connection was closed before the first byte of a response."""


class Connect(Protocol):
    """Opens a connection to one address; raises OSError if that fails."""

    async def __call__(
        self,
        factory: Callable[[], asyncio.Protocol],
        address: str,
        port: int,
        tls: ssl.SSLContext | None,
        server_name: str | None,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Return the transport and protocol of a connection to exactly this address."""
        ...


async def connect_directly(
    factory: Callable[[], asyncio.Protocol],
    address: str,
    port: int,
    tls: ssl.SSLContext | None,
    server_name: str | None,
) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
    """Connect to a numeric address, without any name lookup."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return await loop.create_connection(
        factory, address, port, ssl=tls, server_hostname=server_name, family=family
    )


def make_tls_context(*, checks_certificates: bool = True) -> ssl.SSLContext:
    """Return a TLS context with the system's trusted certificates, or without verification."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not checks_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def tls_failure(error: ssl.SSLError) -> EgressFailed:
    """Return the failure for a TLS error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = _CERTIFICATE_CODES.get(error.verify_code, CODE_CERTIFICATE_ISSUER)
        return EgressFailed("tls", code, error.verify_message)
    return EgressFailed("tls", CODE_TLS, error.reason or "")


class OutboundConnection(asyncio.Protocol):
    """A connection that sends one request at a time.

    ``asyncio.Protocol`` calls ``connection_made``, ``data_received`` and ``connection_lost``;
    ``httptools.HttpResponseParser`` calls the ``on_…`` methods during ``feed_data``.
    """

    # States, by ``_waiter`` and ``is_usable``:
    #
    #   state    waiter   is_usable  becomes
    #   open     none     True       waiting: ``ask``
    #   waiting  pending  False      open: the response is complete and allows keep-alive
    #                                spent: any other response, a limit, a protocol error
    #   spent    none     False      closed: ``abort`` by the pool
    #   closed   none     False      final
    #
    # Bytes that arrive in state open belong to no request: the connection is aborted.

    def __init__(self, registry: set[OutboundConnection]) -> None:
        """``registry``: contains the connection while it is open."""
        self._registry = registry
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._parser: httptools.HttpResponseParser
        self.is_usable = False
        self.opened_at = self.idle_since = 0.0
        # The account of the last request; the idle connection counts towards its limit.
        self.account_sid = ""
        self._expect_response(0)

    def _expect_response(self, read_bytes_max: int) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.is_truncated = False
        self._read_bytes_max = read_bytes_max
        self._wire_bytes = 0
        self._interim_responses = 0
        self._has_head = False
        self._parser = httptools.HttpResponseParser(self)

    async def exchange(self, written: bytes, read_bytes_max: int) -> None:
        """Send a request and read its response into `status`, `headers` and `body`.

        Raises EgressFailed, or StaleConnection if the connection was closed without a byte.
        """
        if self._transport is None or self._transport.is_closing():
            raise StaleConnection
        self._expect_response(read_bytes_max)
        self._waiter = asyncio.get_running_loop().create_future()
        self.is_usable = False
        self._transport.write(written)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def abort(self) -> None:
        """Close at once; unsent bytes are discarded."""
        self.is_usable = False
        if self._transport is not None:
            self._transport.abort()

    @property
    def _is_waiting(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _finish(self, error: Exception | None = None) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if error is None:
            self._waiter.set_result(None)
        else:
            self._waiter.set_exception(error)

    def _fail(self, detail: str) -> None:
        self.is_usable = False
        self._finish(EgressFailed("protocol", CODE_PROTOCOL, detail))

    # Callbacks of the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport and register the connection, so that it will be closed."""
        self._transport = cast("asyncio.Transport", transport)
        self._registry.add(self)
        self.opened_at = asyncio.get_running_loop().time()
        self.is_usable = True

    def data_received(self, data: bytes) -> None:
        """Parse a part of the response."""
        if not self._is_waiting:
            # No request is in flight: these bytes could be taken for the response to the next one.
            self.abort()
            return
        room = limits.RESPONSE_HEAD_BYTES_MAX - self._wire_bytes
        self._wire_bytes += len(data)
        if self._has_head or len(data) <= room:
            self._feed(data)
        else:
            # One chunk may contain the rest of the head and much of the body: only the head counts
            # towards its limit.
            self._feed(data[:room])
            if self._has_head:
                self._feed(data[room:])
            else:
                self._fail("headers too large")
        most = limits.RESPONSE_HEAD_BYTES_MAX + _CHUNKING_FACTOR * self._read_bytes_max
        if self._is_waiting and self._wire_bytes > most:
            # Endless trailers or chunk extensions.
            self.is_truncated = True
            self._finish()

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("not an HTTP answer")

    def connection_lost(self, exc: Exception | None) -> None:
        """Complete a response without a length, or fail the request."""
        self.is_usable = False
        self._registry.discard(self)
        if self._has_head and exc is None and self._ends_with_connection():
            self._finish()
        elif self._wire_bytes:
            self._fail("answer torn")
        else:
            self._finish(StaleConnection())

    def _ends_with_connection(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return b"content-length" not in names and b"transfer-encoding" not in names

    # Callbacks of the parser. It swallows their exceptions, so they raise none.

    def on_message_begin(self) -> None:
        """Detect a second response in the same chunk: the connection must not be reused."""
        if not self._is_waiting:
            self.is_usable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, but not a trailer."""
        if not self._has_head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Store the status; an interim response (1xx) is not the head."""
        if self._is_waiting:
            self.status = self._parser.get_status_code()
            self._has_head = self.status >= 200

    def on_body(self, body: bytes) -> None:
        """Store the start of the body; finish early once the limit is exceeded."""
        if not self._is_waiting:
            # Of a second response in the same chunk: the body may not have been copied yet.
            return
        room = self._read_bytes_max - len(self.body)
        self.body += body[:room]
        if len(body) > room:
            self.is_truncated = True
            self._finish()

    def on_message_complete(self) -> None:
        """Finish the response, or wait for the final one after an interim one."""
        if not self._is_waiting:
            self.is_usable = False
        elif self._has_head:
            self.is_usable = self._parser.should_keep_alive()
            self._finish()
        else:
            self.headers.clear()
            self._interim_responses += 1
            if self._interim_responses > limits.INTERIM_RESPONSES_MAX:
                self._fail("too many interim answers")
