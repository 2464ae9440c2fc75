"""One outbound connection: its states, the end of each response, and the limits of its memory."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest

from parlour.egress.connection import (
    EgressFailed,
    OutboundConnection,
    StaleConnection,
    connect_directly,
    make_tls_context,
    tls_failure,
)
from parlour.vocabulary import limits
from tests.unit.egress.network import OK, FakeTransport, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HEAD = b"HTTP/1.1 200 OK\r\n"


class RegisteredConnection:
    """A connection, its transport and the registry of open connections."""

    def __init__(self) -> None:
        self.registry: set[OutboundConnection] = set()
        self.connection = OutboundConnection(self.registry)
        self.transport = FakeTransport(self.connection, None)

    async def exchange(
        self, *parts: bytes, ends: bool = False, error: Exception | None = None, limit: int = 100
    ) -> None:
        """Send a request; the peer responds in these parts, and may then end the connection."""

        def react(transport: FakeTransport) -> None:
            transport.receive(*parts)
            if ends:
                transport.end(error)

        self.transport.react = react
        await self.connection.exchange(b"a request", limit)

    def close(self) -> None:
        self.connection.abort()


def play(scenario: Callable[[RegisteredConnection], Awaitable[None]]) -> None:
    async def on_line() -> None:
        line = RegisteredConnection()
        await scenario(line)
        line.close()

    run(on_line())


async def failure_of(line: RegisteredConnection, *parts: bytes, **ending: object) -> str:
    with pytest.raises(EgressFailed) as caught:
        await line.exchange(*parts, **ending)  # type: ignore[arg-type]
    assert (caught.value.kind, caught.value.code) == ("protocol", 11206)
    assert not line.connection.is_usable
    return caught.value.detail


# --- Opening and closing ------------------------------------------------------------------


def test_an_open_connection_is_registered_and_usable() -> None:
    async def scenario(line: RegisteredConnection) -> None:
        assert line.registry == {line.connection}
        assert line.connection.is_usable
        age = asyncio.get_running_loop().time() - line.connection.opened_at
        assert 0 <= age < 5
        line.close()
        assert not line.connection.is_usable
        assert line.transport.is_aborted
        await asyncio.sleep(0)
        assert line.registry == set()

    play(scenario)


def test_a_closed_connection_or_one_without_a_transport_is_stale() -> None:
    async def scenario(line: RegisteredConnection) -> None:
        unopened = OutboundConnection(set())
        unopened.abort()
        with pytest.raises(StaleConnection):
            await unopened.exchange(b"", 0)
        line.close()
        with pytest.raises(StaleConnection):
            await line.exchange(OK)
        assert line.transport.written == []

    play(scenario)


def test_a_connection_to_a_number_needs_no_lookup() -> None:
    async def scenario() -> None:
        registry: set[OutboundConnection] = set()
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        def make() -> OutboundConnection:
            return OutboundConnection(registry)

        transport, connection = await connect_directly(make, "127.0.0.1", port, None, None)
        assert registry == {connection}
        transport.close()
        with pytest.raises(OSError, match=r"::1"):
            await connect_directly(make, "::1", port, None, None)
        server.close()

    run(scenario())


# --- Responses ----------------------------------------------------------------------------


def test_a_response_is_read_from_any_parts_and_the_connection_stays_open() -> None:
    response = HEAD + b"X-A: b\r\nContent-Length: 5\r\n\r\nhello"

    async def scenario(line: RegisteredConnection) -> None:
        for parts in ([response], [response[index : index + 1] for index in range(len(response))]):
            await line.exchange(*parts)
            connection = line.connection
            assert connection.status == 200
            assert connection.headers == [(b"X-A", b"b"), (b"Content-Length", b"5")]
            assert (bytes(connection.body), connection.is_truncated) == (b"hello", False)
            assert connection.is_usable
        assert line.transport.written == [b"a request"] * 2

    play(scenario)


@pytest.mark.parametrize(
    "response",
    [
        HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\nsmuggled",
        OK + b"HTTP/1.1 2",
    ],
)
def test_a_connection_is_not_reused_after_a_last_response_or_further_bytes(
    response: bytes,
) -> None:
    async def scenario(line: RegisteredConnection) -> None:
        await line.exchange(response)
        assert (line.connection.status, bytes(line.connection.body)) == (200, b"ok")
        assert not line.connection.is_usable

    play(scenario)


def test_bytes_without_a_request_abort_the_connection() -> None:
    async def scenario(line: RegisteredConnection) -> None:
        line.transport.receive(OK)
        assert line.transport.is_aborted
        assert (line.connection.status, line.connection.is_usable) == (0, False)

    play(scenario)


def test_a_chunked_body_is_joined_and_its_trailers_are_no_headers() -> None:
    response = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX-T: t\r\n\r\n"

    async def scenario(line: RegisteredConnection) -> None:
        await line.exchange(response)
        assert bytes(line.connection.body) == b"abc"
        assert line.connection.headers == [(b"Transfer-Encoding", b"chunked")]
        assert line.connection.is_usable

    play(scenario)


def test_interim_responses_are_skipped_up_to_their_limit() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"

    async def scenario(line: RegisteredConnection) -> None:
        await line.exchange(interim * limits.INTERIM_RESPONSES_MAX + OK)
        assert line.connection.status == 200
        assert line.connection.headers == [(b"Content-Length", b"2")]
        assert line.connection.is_usable
        detail = await failure_of(line, interim * (limits.INTERIM_RESPONSES_MAX + 1) + OK)
        assert detail == "too many interim answers"

    play(scenario)


# --- Limits -------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "is_truncated"), [(2, False), (1, True), (0, True)])
def test_a_body_is_read_up_to_the_limit(limit: int, *, is_truncated: bool) -> None:
    async def scenario(line: RegisteredConnection) -> None:
        await line.exchange(OK, limit=limit)
        assert bytes(line.connection.body) == b"ok"[:limit]
        assert line.connection.is_truncated == is_truncated
        assert line.connection.is_usable != is_truncated

    play(scenario)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_head_beyond_its_limit_fails(parts: int) -> None:
    head = HEAD + b"X: " + b"x" * limits.RESPONSE_HEAD_BYTES_MAX
    cut = len(head) if parts == 1 else 100

    async def scenario(line: RegisteredConnection) -> None:
        assert await failure_of(line, head[:cut], head[cut:]) == "headers too large"

    play(scenario)


def test_only_the_head_counts_towards_its_limit() -> None:
    size = limits.RESPONSE_HEAD_BYTES_MAX
    response = HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size

    async def scenario(line: RegisteredConnection) -> None:
        await line.exchange(response, limit=size)
        assert len(line.connection.body) == size
        assert line.connection.is_usable

    play(scenario)


def test_endless_chunk_extensions_truncate_the_response() -> None:
    start = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;"

    async def scenario(line: RegisteredConnection) -> None:
        most = limits.RESPONSE_HEAD_BYTES_MAX + 8 * 100
        padding = b"x" * (most - len(start))
        sending = asyncio.create_task(line.exchange(start, padding))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not sending.done()
        line.transport.receive(b"x")
        await sending
        assert (line.connection.is_truncated, line.connection.is_usable) == (True, False)

    play(scenario)


# --- Failures -----------------------------------------------------------------------------


@pytest.mark.parametrize("response", [b"220 mail ESMTP\r\n", b"HTTP/1.1 200 OK\r\nbad\r\n\r\n"])
def test_a_response_that_is_not_http_fails(response: bytes) -> None:
    async def scenario(line: RegisteredConnection) -> None:
        assert await failure_of(line, response) == "not an HTTP answer"

    play(scenario)


def test_an_upgrade_fails() -> None:
    response = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw"

    async def scenario(line: RegisteredConnection) -> None:
        assert await failure_of(line, response) == "not an HTTP answer"

    play(scenario)


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_a_connection_that_ends_without_a_byte_is_stale(error: Exception | None) -> None:
    async def scenario(line: RegisteredConnection) -> None:
        with pytest.raises(StaleConnection):
            await line.exchange(ends=True, error=error)
        assert line.registry == set()

    play(scenario)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async def scenario(line: RegisteredConnection) -> None:
        await line.exchange(HEAD + b"\r\n", b"ab", b"c", ends=True)
        assert bytes(line.connection.body) == b"abc"
        assert not line.connection.is_usable

    play(scenario)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (HEAD, None),
        (HEAD + b"Content-length: 5\r\n\r\nab", None),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", None),
        (HEAD + b"\r\nab", ConnectionResetError()),
    ],
)
def test_a_response_that_ends_too_early_fails(response: bytes, error: Exception | None) -> None:
    async def scenario(line: RegisteredConnection) -> None:
        assert await failure_of(line, response, ends=True, error=error) == "answer torn"

    play(scenario)


def test_the_end_of_a_connection_after_its_response_changes_nothing() -> None:
    async def scenario(line: RegisteredConnection) -> None:
        await line.exchange(OK, ends=True)
        assert (line.connection.status, bytes(line.connection.body)) == (200, b"ok")
        line.connection.connection_lost(None)
        assert line.registry == set()

    play(scenario)


def test_a_cancelled_request_ignores_its_response() -> None:
    async def scenario(line: RegisteredConnection) -> None:
        asking = asyncio.create_task(line.exchange())
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not line.connection.is_usable
        line.transport.receive(OK)
        assert line.transport.is_aborted

    play(scenario)


# --- TLS ----------------------------------------------------------------------------------


def test_certificates_are_verified_unless_that_is_disabled() -> None:
    checking = make_tls_context()
    assert (checking.check_hostname, checking.verify_mode) == (True, ssl.CERT_REQUIRED)
    trusting = make_tls_context(checks_certificates=False)
    assert (trusting.check_hostname, trusting.verify_mode) == (False, ssl.CERT_NONE)


@pytest.mark.parametrize(
    ("number", "code"),
    [(9, 11236), (10, 11236), (62, 11235), (64, 11235), (18, 11237)],
)
def test_a_certificate_that_fails_has_the_code_of_its_fault(number: int, code: int) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = number, "why"
    failure = tls_failure(error)
    assert (failure.kind, failure.code, failure.detail) == ("tls", code, "why")


def test_any_other_tls_error_has_one_code() -> None:
    error = ssl.SSLError()
    error.reason = "WRONG_VERSION_NUMBER"
    assert str(tls_failure(error)) == "11220: tls WRONG_VERSION_NUMBER"
    error.reason = None  # type: ignore[assignment]
    failure = tls_failure(error)
    assert (failure.kind, failure.code, failure.detail) == ("tls", 11220, "")
    assert str(failure) == "11220: tls"
