"""One outbound HTTP/1.1 connection: writes a request, reads one answer within its limits.

The bytes of an answer are read by llhttp, in its strict mode. Whatever the other side
sends, this side keeps a bounded number of them: the head, the first bytes of the body,
and nothing of a trailer. A connection is used again only if its last answer ended where
HTTP says it ends and not one byte came after it.
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

# OpenSSL's numbers for what is wrong with a certificate.
_CERTIFICATE_CODES: Final = {
    9: CODE_CERTIFICATE_EXPIRED,
    10: CODE_CERTIFICATE_EXPIRED,
    62: CODE_CERTIFICATE_NAME,
    64: CODE_CERTIFICATE_NAME,
}
# Bytes on the wire for one byte of a body, in the smallest chunks.
_CHUNKING_FACTOR: Final = 8


class EgressFailed(Exception):  # noqa: N818 - it is an outcome that callers expect.
    """The request had no answer: the kind of failure, and its code for the log.

    Kinds: dns, connect, tls, timeout, protocol, and busy: our own turns were all taken,
    and nothing was sent.
    """

    def __init__(self, kind: str, code: int, detail: str = "") -> None:
        super().__init__(f"{code}: {kind} {detail}".rstrip())
        self.kind = kind
        self.code = code
        self.detail = detail


class StaleConnection(Exception):  # noqa: N818 - a kept connection is expected to end so.
    """The connection was closed before it gave any byte of an answer."""


class Connect(Protocol):
    """How a connection to one address is made; raises OSError if it is not."""

    async def __call__(
        self,
        factory: Callable[[], asyncio.Protocol],
        address: str,
        port: int,
        tls: ssl.SSLContext | None,
        server_name: str | None,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """The transport and protocol of a connection to exactly this address."""
        ...


async def connect_directly(
    factory: Callable[[], asyncio.Protocol],
    address: str,
    port: int,
    tls: ssl.SSLContext | None,
    server_name: str | None,
) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
    """Connect to an address that is a number already, so that nothing is looked up."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return await loop.create_connection(
        factory, address, port, ssl=tls, server_hostname=server_name, family=family
    )


def make_tls_context(*, checks_certificates: bool = True) -> ssl.SSLContext:
    """A TLS context with the system's trusted certificates, or one that trusts anybody."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not checks_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def tls_failure(error: ssl.SSLError) -> EgressFailed:
    """The failure that a TLS error means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = _CERTIFICATE_CODES.get(error.verify_code, CODE_CERTIFICATE_ISSUER)
        return EgressFailed("tls", code, error.verify_message)
    return EgressFailed("tls", CODE_TLS, error.reason or "")


class OutboundConnection(asyncio.Protocol):
    """A connection that asks one request at a time."""

    def __init__(self, registry: set[OutboundConnection]) -> None:
        """Make one that adds itself to the registry while it is open."""
        self._registry = registry
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._parser: httptools.HttpResponseParser
        self.is_usable = False
        self.opened_at = self.idle_since = 0.0
        # For whom it was used last; it counts as theirs while it is kept.
        self.account_sid = ""
        self._expect_answer(0)

    def _expect_answer(self, read_bytes_max: int) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.is_truncated = False
        self._read_bytes_max = read_bytes_max
        self._wire_bytes = 0
        self._interim_answers = 0
        self._has_head = False
        self._parser = httptools.HttpResponseParser(self)

    async def ask(self, written: bytes, read_bytes_max: int) -> None:
        """Send a request and read its answer into `status`, `headers` and `body`.

        Raises EgressFailed, or StaleConnection if nothing at all came back.
        """
        if self._transport is None or self._transport.is_closing():
            raise StaleConnection
        self._expect_answer(read_bytes_max)
        self._waiter = asyncio.get_running_loop().create_future()
        self.is_usable = False
        self._transport.write(written)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def abort(self) -> None:
        """Close at once; what is not sent yet is not sent."""
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

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport, so that it can be closed whatever happens next."""
        self._transport = cast("asyncio.Transport", transport)
        self._registry.add(self)
        self.opened_at = asyncio.get_running_loop().time()
        self.is_usable = True

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer."""
        if not self._is_waiting:
            # Nobody asked: which request this would answer is anybody's guess.
            self.abort()
            return
        room = limits.RESPONSE_HEAD_BYTES_MAX - self._wire_bytes
        self._wire_bytes += len(data)
        if self._has_head or len(data) <= room:
            self._feed(data)
        else:
            # One packet may hold the rest of the head and much of the body.
            self._feed(data[:room])
            if self._has_head:
                self._feed(data[room:])
            else:
                self._fail("headers too large")
        most = limits.RESPONSE_HEAD_BYTES_MAX + _CHUNKING_FACTOR * self._read_bytes_max
        if self._is_waiting and self._wire_bytes > most:
            # Trailers or the small print of chunks, without end.
            self.is_truncated = True
            self._finish()

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("not an HTTP answer")

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer: this is where it ends, or where it is torn."""
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

    # What the parser says. It swallows exceptions of its callbacks, so they raise none.

    def on_message_begin(self) -> None:
        """Notice an answer that nobody asked for, right behind the one that was."""
        if not self._is_waiting:
            self.is_usable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but not a trailer."""
        if not self._has_head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Keep the status; an interim one is not the head of the answer."""
        if self._is_waiting:
            self.status = self._parser.get_status_code()
            self._has_head = self.status >= 200

    def on_body(self, body: bytes) -> None:
        """Keep the start of the body, and end the answer where enough of it was read."""
        room = self._read_bytes_max - len(self.body)
        self.body += body[:room]
        if len(body) > room:
            self.is_truncated = True
            self._finish()

    def on_message_complete(self) -> None:
        """End the answer, or wait for the real one after an interim one."""
        if not self._is_waiting:
            self.is_usable = False
        elif self._has_head:
            self.is_usable = self._parser.should_keep_alive()
            self._finish()
        else:
            self.headers.clear()
            self._interim_answers += 1
            if self._interim_answers > limits.INTERIM_RESPONSES_MAX:
                self._fail("too many interim answers")
