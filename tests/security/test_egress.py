"""Egress: the bytes that it writes, the responses that it reads, and protocol failures."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from twilio.request_validator import RequestValidator

from parlour.egress.client import Egress, EgressFailed, OutboundRequest
from parlour.protocol.signatures import prepare_url, sign, write_form
from parlour.vocabulary import limits
from tests.security.scripted_receiver import (
    NEARBY,
    OK,
    ScriptedReceiver,
    close,
    fail_once,
    hang,
    post,
    reset,
    send_once,
    sized,
    then_close,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


# --- Requests ---------------------------------------------------------------------------


def test_the_request_is_written_as_prepared_and_nothing_is_added(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            url = f"http://us%65r:p%40ss@127.0.0.1:{receiver.port}/a/%7e?b=c#rc=2"
            headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
            await post(egress, url, headers=headers, body=b"x=1")
            lines = [
                "POST /a/%7e?b=c HTTP/1.1",
                f"Host: 127.0.0.1:{receiver.port}",
                "Content-Type: application/x-www-form-urlencoded; charset=utf-8",
                "Accept-Encoding: identity",
                "Authorization: Basic dXNlcjpwQHNz",
                "Content-Length: 3",
            ]
            assert receiver.heads == ["\r\n".join(lines) + "\r\n\r\n"]
            assert receiver.bodies == [b"x=1"]

    run(ask())


def test_a_get_request_has_no_body_and_no_length(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            await post(egress, receiver.url + "?a=b", method="GET", body=b"")
            assert receiver.heads[0].startswith("GET /hook?a=b HTTP/1.1\r\n")
            assert "Content-Length" not in receiver.heads[0]

    run(ask())


def test_a_large_body_arrives_whole(run: Any) -> None:
    body = bytes(range(256)) * 4096

    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            await post(egress, receiver.url, body=body)
            assert receiver.bodies == [body]

    run(ask())


ODD_PATHS = [
    "", "/", "/it's", "/a b", "/%7e%zz", "/straße?ü=ö", "/p?", "/p?a=1&a=2&", "?x", "/p?q=a/b?c",
    "/p#rc=2", "//double", "/p?bodySHA=no", "/(*)!$,=:@",
]  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_received_request_is_the_signed_one(method: str) -> None:
    """The receiver rebuilds the URL from bytes alone, and calls the official validator."""
    pairs = [("Body", "Grüße & 50% off +"), ("EventType", "onMessageAdded"), ("Attributes", "{}")]
    key = "any key"

    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            for path in ODD_PATHS:
                configured = f"http://user:pw@127.0.0.1:{receiver.port}{path}"
                url = prepare_url(configured, pairs if method == "GET" else ())
                form = pairs if method == "POST" else []
                signature = sign(key, url.signed_url, form)
                body = write_form(form).encode()
                headers = {"X-Twilio-Signature": signature}
                await egress.send(OutboundRequest(method, url, headers, body))
                lines = receiver.heads[-1].split("\r\n")
                fields = dict(line.split(": ", 1) for line in lines[1:-2])
                rebuilt = f"http://{fields['Host']}{lines[0].split(' ')[1]}"
                signed = fields["X-Twilio-Signature"]
                assert RequestValidator(key).validate(rebuilt, dict(form), signed)

    asyncio.run(ask())


# --- Responses --------------------------------------------------------------------------


def test_the_response_has_its_status_headers_and_body(run: Any) -> None:
    answer = send_once(
        run, b"HTTP/1.1 403 No\r\nX-One: a\r\nx-one: b\r\nContent-Length: 2\r\n\r\nno"
    )
    assert (answer.status, answer.body_start, answer.is_truncated) == (403, b"no", False)
    assert answer.headers == (("x-one", "a"), ("x-one", "b"), ("content-length", "2"))
    assert answer.header("x-one") == "a"
    assert answer.header("retry-after") is None
    assert 0 <= answer.elapsed_ms < 1000


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n3\r\nbcd\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
    ],
)
def test_a_body_is_read_however_its_end_is_marked(run: Any, raw: bytes) -> None:
    for script in (raw, then_close(raw)):
        answer = send_once(run, script)
        assert (answer.status, answer.body_start) == (200, b"abcd")
        assert not {"x", "link"} & {name for name, _ in answer.headers}


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_body_may_end_with_the_connection(run: Any, version: bytes) -> None:
    answer = send_once(run, then_close(b"HTTP/" + version + b" 200 OK\r\nX: y\r\n\r\nabcd"))
    assert (answer.status, answer.body_start, answer.is_truncated) == (200, b"abcd", False)


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_some_responses_have_no_body(run: Any, status: bytes) -> None:
    answer = send_once(run, b"HTTP/1.1 " + status + b" X\r\n\r\n")
    assert (answer.status, answer.body_start) == (int(status), b"")


def test_no_more_of_a_body_is_read_than_allowed(run: Any) -> None:
    most = limits.RESPONSE_BYTES_READ_MAX
    for size_bytes, is_truncated in [(most, False), (most + 1, True), (5_000_000, True)]:
        answer = send_once(run, sized(size_bytes))
        assert (len(answer.body_start), answer.is_truncated) == (
            min(size_bytes, most),
            is_truncated,
        )
    answer = send_once(run, sized(70_000), read_bytes_max=65_536)
    assert (len(answer.body_start), answer.is_truncated) == (65_536, True)


def test_an_endless_body_is_left_where_enough_was_read(run: Any) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 4096)
            sent += 4096
            await writer.drain()

    answer = send_once(run, endless)
    assert (answer.status, len(answer.body_start), answer.is_truncated) == (200, 20_000, True)
    # The bytes that the two sockets buffer are sent before the other side notices.
    assert sent < 20_000_000


@pytest.mark.parametrize("part", [b"X-Trailer: y\r\n", b"1;" + b"e" * 4000 + b"\r\na\r\n"])
def test_trailers_and_chunk_extensions_have_an_end(run: Any, part: bytes) -> None:
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    start += b"0\r\n" if part.startswith(b"X") else b""

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while not writer.is_closing():
            writer.write(part * 16)
            await writer.drain()

    answer = send_once(run, endless)
    assert (answer.status, answer.is_truncated) == (200, True)
    assert len(answer.headers) == 1


def test_nothing_is_decompressed(run: Any) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    answer = send_once(run, head + bomb)
    assert answer.body_start == bomb[:20_000]
    assert answer.header("content-encoding") == "gzip"


def test_the_size_limit_of_a_head_excludes_body_bytes(run: Any) -> None:
    large = b"X: " + b"y" * (limits.RESPONSE_HEAD_BYTES_MAX - 200) + b"\r\n"
    raw = b"HTTP/1.1 200 OK\r\n" + large + b"Content-Length: 9000\r\n\r\n" + b"x" * 9000
    assert len(send_once(run, raw).body_start) == 9000
    too_large = b"HTTP/1.1 200 OK\r\n" + large + large + b"Content-Length: 0\r\n\r\n"
    assert fail_once(run, too_large).kind == "protocol"
    endless = b"HTTP/1.1 100 Continue\r\n" + large + b"\r\n"
    assert fail_once(run, endless * 5).kind == "protocol"


# --- Protocol failures ------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"220 mail.example ESMTP\r\n",
        b"\x15\x03\x01\x00\x02\x02P",
        b"HTTP/3.0 200 OK\r\n\r\n",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nabc",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + OK,
    ],
)
def test_a_response_that_is_not_http_is_a_protocol_failure(run: Any, raw: bytes) -> None:
    failure = fail_once(run, then_close(raw))
    assert (failure.kind, failure.code) == ("protocol", 11206)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_a_truncated_response_is_a_protocol_failure(run: Any, raw: bytes) -> None:
    failure = fail_once(run, then_close(raw))
    assert (failure.kind, failure.code) == ("protocol", 11206)


@pytest.mark.parametrize("step", [close, reset])
def test_a_connection_closed_without_a_byte_is_a_connection_failure(run: Any, step: Any) -> None:
    failure = fail_once(run, step)
    assert (failure.kind, failure.code) == ("connect", 11205)


def test_a_refused_port_is_a_connection_failure(run: Any) -> None:
    async def ask() -> EgressFailed:
        async with ScriptedReceiver(OK) as receiver:
            url = receiver.url
        async with Egress(NEARBY) as egress:
            with pytest.raises(EgressFailed) as caught:
                await post(egress, url)
        return caught.value

    failure = run(ask())
    assert (failure.kind, failure.code) == ("connect", 11205)


def test_a_name_without_an_address_is_a_name_failure(run: Any) -> None:
    async def resolve(name: str) -> Sequence[str]:
        raise socket.gaierror(-2, name)

    async def ask() -> EgressFailed:
        async with Egress(NEARBY, resolve=resolve) as egress:
            with pytest.raises(EgressFailed) as caught:
                await post(egress, "http://nobody.test/")
        return caught.value

    failure = run(ask())
    assert (failure.kind, failure.code) == ("dns", 11210)


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("step", [hang, drip])
def test_the_time_for_all_together_is_limited(run: Any, step: Any) -> None:
    began = time.monotonic()
    failure = fail_once(run, step, timeout_ms=300)
    assert (failure.kind, failure.code) == ("timeout", 50076)
    assert 0.25 < time.monotonic() - began < 2.5


def test_a_name_server_that_hangs_is_a_timeout(run: Any) -> None:
    async def resolve(name: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return [name]

    async def ask() -> EgressFailed:
        async with Egress(NEARBY, resolve=resolve) as egress:
            with pytest.raises(EgressFailed) as caught:
                await post(egress, "http://slow.test/", timeout_ms=100)
        return caught.value

    assert run(ask()).kind == "timeout"


# --- Digest -----------------------------------------------------------------------------

CHALLENGE = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"
    b'WWW-Authenticate: Basic realm="r"\r\n'
    b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256\r\n\r\n'
)


def test_a_digest_challenge_is_answered_once_with_the_same_request(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(CHALLENGE, OK) as receiver, Egress(NEARBY) as egress:
            url = f"http://user:pass@127.0.0.1:{receiver.port}/hook?a=b"
            assert (await post(egress, url, headers={"X-Token": "t"})).status == 200
            first, second = receiver.heads
            assert "Authorization: Basic dXNlcjpwYXNz" in first
            line = next(x for x in second.split("\r\n") if x.startswith("Authorization: "))
            assert line.startswith('Authorization: Digest username="user", realm="r", nonce="n"')
            assert 'uri="/hook?a=b"' in line
            assert "pass" not in line
            same = [x for x in first.split("\r\n") if not x.startswith("Authorization")]
            assert [x for x in second.split("\r\n") if x != line] == same
            assert receiver.bodies == [b"a=b", b"a=b"]
            assert receiver.connections == 1

    run(ask())


def test_a_receiver_that_refuses_the_digest_too_has_refused(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(CHALLENGE) as receiver, Egress(NEARBY) as egress:
            url = f"http://user:pass@127.0.0.1:{receiver.port}/hook"
            assert (await post(egress, url)).status == 401
            assert len(receiver.heads) == 2

    run(ask())


def test_without_credentials_a_challenge_is_a_normal_response(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(CHALLENGE) as receiver, Egress(NEARBY) as egress:
            assert (await post(egress, receiver.url)).status == 401
            assert len(receiver.heads) == 1

    run(ask())


def test_both_requests_together_have_the_time_of_one(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(CHALLENGE, hang) as receiver, Egress(NEARBY) as egress:
            url = f"http://user:pass@127.0.0.1:{receiver.port}/hook"
            # The loop's own clock, which the limit uses: it counts in whole milliseconds.
            clock = asyncio.get_running_loop().time
            began = clock()
            with pytest.raises(EgressFailed) as caught:
                await post(egress, url, timeout_ms=300)
            assert caught.value.kind == "timeout"
            assert 0.3 <= round(clock() - began, 3) < 2

    run(ask())
