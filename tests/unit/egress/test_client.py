"""Egress: the bytes of a request, its addresses, TLS, its time, and Digest."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from parlour.egress.client import Egress, EgressPolicy, EgressRefused, connect_directly
from parlour.store.transaction import in_transaction
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemRandom
from tests.unit.egress.network import (
    HOOK,
    FakeNetwork,
    egress_on,
    failure_of,
    hang,
    in_loop,
    post,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

CHALLENGE = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"
    b'WWW-Authenticate: Basic realm="r"\r\n'
    b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256\r\n\r\n'
)


# --- Requests and responses ---------------------------------------------------------------


@in_loop
async def test_a_post_has_the_own_headers_the_given_ones_and_the_body() -> None:
    network = FakeNetwork()
    async with egress_on(network) as egress:
        await post(egress, "http://us:p%40ss@10.0.0.1:81/a?b=c#d", headers={"X-A": "b"})
    lines = [
        b"POST /a?b=c HTTP/1.1",
        b"Host: 10.0.0.1:81",
        b"X-A: b",
        b"Accept-Encoding: identity",
        b"Authorization: Basic dXM6cEBzcw==",
        b"Content-Length: 3",
    ]
    assert network.written == [b"\r\n".join(lines) + b"\r\n\r\na=b"]
    assert network.connected == [("10.0.0.1", 81, None, None)]


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", b"", None),
        ("DELETE", b"", None),
        ("DELETE", b"x", 1),
        ("PUT", b"", 0),
        ("POST", b"", 0),
    ],
)
@in_loop
async def test_a_request_without_a_body_has_a_length_if_its_method_allows_a_body(
    method: str, body: bytes, length: int | None
) -> None:
    network = FakeNetwork()
    async with egress_on(network) as egress:
        await post(egress, method=method, body=body)
    (written,) = network.written
    assert (b"Content-Length: %d\r\n" % (length or 0) in written) == (length is not None)


@in_loop
async def test_given_headers_replace_the_encoding_and_the_credentials() -> None:
    network = FakeNetwork()
    headers = {"Accept-Encoding": "gzip", "Authorization": "mine"}
    async with egress_on(network) as egress:
        await post(egress, "http://u:p@10.0.0.1/", headers=headers)
    (written,) = network.written
    assert b"Authorization: mine\r\n" in written
    assert b"Accept-Encoding: gzip\r\n" in written


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"X-A": "b\r\nX-C: d"}},
        {"headers": {"X-A": "b\n"}},
        {"headers": {"X-A": "b\r"}},
        {"headers": {"X-A": "b\0"}},
        {"headers": {"X-A\r\nX-B": "c"}},
        {"headers": {"HOST": "other.test"}},
        {"headers": {"content-length": "0"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"connection": "close"}},
        {"method": "PATCH"},
    ],
)
@in_loop
async def test_a_header_or_method_that_would_change_the_request_is_a_bug(
    changes: dict[str, Any],
) -> None:
    network = FakeNetwork()
    async with egress_on(network) as egress:
        with pytest.raises(AssertionError):
            await post(egress, **changes)
        assert egress._targets == {}
    assert network.connected == []


@in_loop
async def test_a_response_has_its_headers_in_lower_case_and_the_start_of_its_body() -> None:
    raw = b"HTTP/1.1 503 No\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 4\r\n\r\nbody"

    async with egress_on(FakeNetwork(raw)) as egress:
        response = await post(egress, read_bytes_max=3)
    assert (response.status, response.body_start, response.is_truncated) == (503, b"bod", True)
    assert response.headers == (("x-a", "1"), ("x-a", "2"), ("content-length", "4"))
    assert response.header("x-a") == "1"
    assert response.every("x-a") == ["1", "2"]
    assert (response.header("x-b"), response.every("x-b")) == (None, [])
    assert 0 <= response.elapsed_ms < 3000


@in_loop
async def test_a_request_inside_a_transaction_is_a_bug() -> None:
    in_transaction.set(True)
    async with egress_on(FakeNetwork()) as egress:
        with pytest.raises(AssertionError):
            await post(egress)


# --- Addresses ----------------------------------------------------------------------------


@in_loop
async def test_a_name_is_resolved_once_and_sent_as_host() -> None:
    names: list[str] = []

    async def resolve(name: str) -> Sequence[str]:
        names.append(name)
        return ["10.0.0.7"]

    network = FakeNetwork()
    async with egress_on(network, resolve=resolve) as egress:
        await post(egress, "http://Hooks.test/")
    assert names == ["hooks.test"]
    assert network.connected == [("10.0.0.7", 80, None, None)]
    assert b"Host: Hooks.test\r\n" in network.written[0]


@in_loop
async def test_by_default_names_are_resolved_and_connected_by_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [(2, 1, 6, "", ("8.8.8.8", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    network = FakeNetwork()
    async with egress_on(network) as egress:
        await post(egress, "http://hooks.test/")
    assert network.connected == [("8.8.8.8", 80, None, None)]
    plain = Egress(EgressPolicy(allow_private=False))
    assert plain._connect is connect_directly
    assert isinstance(plain._random, SystemRandom)
    await plain.close()


@in_loop
async def test_a_name_that_does_not_resolve_fails() -> None:
    async def resolve(_name: str) -> Sequence[str]:
        raise OSError

    async with egress_on(FakeNetwork(), resolve=resolve) as egress:
        assert await failure_of(egress, "http://no.test/") == ("dns", 11210, "")


@in_loop
async def test_an_address_that_the_policy_forbids_is_never_connected() -> None:
    async def resolve(_name: str) -> Sequence[str]:
        return ["8.8.8.8", "10.0.0.1"]

    network = FakeNetwork()
    async with egress_on(
        network, policy=EgressPolicy(allow_private=False), resolve=resolve
    ) as egress:
        for url in ("http://mixed.test/", HOOK):
            with pytest.raises(EgressRefused):
                await post(egress, url)
    assert network.connected == []


@in_loop
async def test_further_addresses_are_tried_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADDRESSES_TRIED_MAX", 3)
    monkeypatch.setattr(limits, "CONNECT_MS_MAX", 10)

    async def resolve(_name: str) -> Sequence[str]:
        return [f"10.0.0.{number}" for number in range(1, 6)]

    network = FakeNetwork()
    network.failures = {"10.0.0.1": ConnectionRefusedError(), "10.0.0.2": TimeoutError()}
    async with egress_on(network, resolve=resolve) as egress:
        assert (await post(egress, "http://many.test/")).status == 200
        tried = [address for address, *_ in network.connected]
        assert tried == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        network.failures["10.0.0.3"] = ConnectionRefusedError()
        failure = await failure_of(egress, "http://many.test:81/")
        assert failure == ("connect", 11205, "ConnectionRefusedError")
        assert [address for address, *_ in network.connected][3:] == tried


@in_loop
async def test_an_address_that_does_not_respond_is_left_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CONNECT_MS_MAX", 10)

    async def resolve(_name: str) -> Sequence[str]:
        return ["10.0.0.1", "10.0.0.2"]

    network = FakeNetwork()
    connect = network.connect

    async def slow(factory: Any, address: str, *rest: Any) -> Any:
        if address == "10.0.0.1":
            await asyncio.sleep(60)
        return await connect(factory, address, *rest)

    network.connect = slow  # type: ignore[method-assign]
    async with egress_on(network, resolve=resolve) as egress:
        assert (await post(egress, "http://two.test/")).status == 200


@pytest.mark.parametrize(("peer", "is_bug"), [(("10.0.0.9", 1), True), (None, False)])
@in_loop
async def test_a_connection_to_another_address_than_the_checked_one_is_a_bug(
    peer: tuple[str, int] | None, *, is_bug: bool
) -> None:
    network = FakeNetwork()
    network.peer = lambda _address: peer
    async with egress_on(network) as egress:
        if is_bug:
            with pytest.raises(AssertionError, match="another address"):
                await post(egress)
            assert network.transports[0].is_aborted
        else:
            assert (await post(egress)).status == 200
    assert len(network.written) == (not is_bug)


# --- TLS ----------------------------------------------------------------------------------


@in_loop
async def test_the_tls_context_is_made_once_and_the_name_is_verified() -> None:
    made: list[ssl.SSLContext] = []

    def make() -> ssl.SSLContext:
        made.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return made[-1]

    async def resolve(_name: str) -> Sequence[str]:
        return ["10.0.0.1"]

    network = FakeNetwork()
    async with egress_on(network, tls=make, resolve=resolve) as egress:
        await post(egress)
        assert made == []
        await post(egress, "https://hooks.test/")
        await post(egress, "https://hooks.test:444/")
    (context,) = made
    assert network.connected[1:] == [
        ("10.0.0.1", 443, context, "hooks.test"),
        ("10.0.0.1", 444, context, "hooks.test"),
    ]


@in_loop
async def test_a_tls_error_is_not_a_connection_failure() -> None:
    network = FakeNetwork()
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = 62, "name"
    network.failures = {"10.0.0.1": error}
    async with egress_on(network) as egress:
        assert await failure_of(egress) == ("tls", 11235, "name")


# --- Time and slots -----------------------------------------------------------------------


@in_loop
async def test_a_receiver_that_hangs_is_a_timeout_and_its_connection_is_closed() -> None:
    network = FakeNetwork(hang)
    async with egress_on(network) as egress:
        assert await failure_of(egress, timeout_ms=10) == ("timeout", 50076, "")
        assert network.transports[0].is_aborted
        assert egress._targets == {}


@in_loop
async def test_a_request_without_a_slot_in_time_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "OUTBOUND_REQUESTS_PER_TARGET_MAX", 1)
    network = FakeNetwork(hang)
    async with egress_on(network) as egress:
        hanging = asyncio.create_task(post(egress))
        await until(lambda: network.written)
        assert await failure_of(egress, slot_wait_ms_max=10) == ("busy", 11205, "")
        assert (await post(egress, "http://10.0.0.1:81/")).status == 200
        assert (await post(egress, account_sid="AC2")).status == 200
        assert (await post(egress, is_caller_waiting=True)).status == 200
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        assert (await post(egress)).status == 200


@in_loop
async def test_a_request_whose_lease_has_expired_is_not_written() -> None:
    network = FakeNetwork()
    async with egress_on(network) as egress:
        failure = await failure_of(egress, may_send=lambda: False)
        assert failure == ("busy", 11205, "the lease term is over")
        assert network.written == []
        assert network.transports[0].is_aborted
        assert (await post(egress, may_send=lambda: True)).status == 200


# --- Digest -------------------------------------------------------------------------------


@in_loop
async def test_a_digest_challenge_is_answered_once() -> None:
    network = FakeNetwork(CHALLENGE, CHALLENGE)
    async with egress_on(network) as egress:
        response = await post(egress, "http://us:pass@10.0.0.1/hook", headers={"X-A": "b"})
    assert response.status == 401
    first, second = network.written
    assert b"Authorization: Basic dXM6cGFzcw==\r\n" in first
    assert b'Authorization: Digest username="us", realm="r", nonce="n"' in second
    assert b"X-A: b\r\n" in second
    assert second.endswith(b"\r\n\r\na=b")
    assert b'cnonce="' + b"0" * 32 + b'"' in second
    assert len(network.transports) == 1


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        (HOOK, CHALLENGE),
        ("http://us:pass@10.0.0.1/", CHALLENGE.replace(b"Digest", b"Bearer")),
        ("http://us:pass@10.0.0.1/", CHALLENGE.replace(b"401", b"403")),
    ],
)
@in_loop
async def test_without_credentials_or_a_digest_challenge_the_response_is_final(
    url: str, answer: bytes
) -> None:
    network = FakeNetwork(answer)
    async with egress_on(network) as egress:
        assert (await post(egress, url)).status in {401, 403}
    assert len(network.written) == 1
