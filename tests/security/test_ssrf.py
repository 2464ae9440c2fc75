"""Hostile targets: with the guard no connection is made, without it each one would be."""

from __future__ import annotations

import asyncio
import ssl
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parlour.egress.client import (
    Egress,
    EgressFailed,
    EgressPolicy,
    EgressRefused,
    OutboundRequest,
    OutboundResponse,
)
from parlour.protocol.egress_policy import AddressKind, classify, default_policy, parse_host
from parlour.protocol.signatures import prepare_url
from tests.security.scripted_receiver import ScriptedReceiver, then_close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

CORPUS = tomllib.loads((Path(__file__).parent / "corpora" / "ssrf.toml").read_text("utf-8"))
REFUSED = [target for target in CORPUS["targets"] if target["expected"] == "refused"]
MALFORMED = [target for target in CORPUS["targets"] if target["expected"] == "malformed"]

GUARDED = default_policy("::")
NEARBY = default_policy("127.0.0.1")
UNGUARDED = EgressPolicy(allow_private=True, allow_list=["0.0.0.0/0", "::/0"])


class Network:
    """Replaces the resolver and the connector: answers lookups, counts connections."""

    def __init__(self, names: dict[str, list[str]] = CORPUS["names"]) -> None:
        self.names = names
        self.resolved: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.server_names: list[str | None] = []

    async def resolve(self, name: str) -> Sequence[str]:
        self.resolved.append(name)
        if name not in self.names:
            raise OSError(name)
        return self.names[name]

    async def connect(
        self,
        factory: Callable[[], asyncio.Protocol],
        address: str,
        port: int,
        tls: ssl.SSLContext | None,
        server_name: str | None,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        self.connected.append((address, port))
        assert (tls is None) == (server_name is None)
        assert factory is not None
        self.server_names.append(server_name)
        raise ConnectionRefusedError

    def egress(self, policy: EgressPolicy) -> Egress:
        return Egress(
            policy,
            resolve=self.resolve,
            connect=self.connect,
            tls=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )


def request(url: str, method: str = "POST") -> OutboundRequest:
    return OutboundRequest(method, prepare_url(url), {"Accept": "*/*"}, b"a=b", timeout_ms=1000)


async def send(egress: Egress, url: str, method: str = "POST") -> OutboundResponse:
    return await egress.send(request(url, method))


def try_to_reach(policy: EgressPolicy, url: str) -> tuple[Network, Exception]:
    """Send to the URL; return the addresses that were reached, and the result."""

    async def run() -> tuple[Network, Exception]:
        network = Network()
        async with network.egress(policy) as egress:
            with pytest.raises((EgressRefused, EgressFailed)) as caught:
                await send(egress, url)
        return network, caught.value

    return asyncio.run(run())


def with_both_schemes(url: str) -> Iterable[str]:
    yield url
    if url[:5].lower() == "http:":
        yield "https:" + url[5:]


def described(targets: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize(
        "target", targets, ids=[ascii(target["input"]) for target in targets]
    )


def test_the_corpus_is_as_large_as_promised_without_duplicates() -> None:
    assert len(REFUSED) >= 120
    assert len(MALFORMED) >= 50
    assert len(REFUSED) + len(MALFORMED) == len(CORPUS["targets"])
    twice = [url for url, n in Counter(t["input"] for t in CORPUS["targets"]).items() if n > 1]
    assert twice == []


@described(REFUSED)
def test_with_the_guard_no_connection_is_made(target: dict[str, Any]) -> None:
    for url in with_both_schemes(target["input"]):
        network, error = try_to_reach(GUARDED, url)
        assert network.connected == []
        assert isinstance(error, EgressRefused)
        assert error.code == 11205


@described(REFUSED)
def test_without_the_guard_each_target_would_be_reached(target: dict[str, Any]) -> None:
    for url in with_both_schemes(target["input"]):
        network, error = try_to_reach(UNGUARDED, url)
        assert network.connected[0] == (target["reaches"], prepare_url(url).port)
        assert isinstance(error, EgressFailed)
        assert error.kind == "connect"


@described(REFUSED)
def test_the_developer_policy_reaches_only_loopback_and_private(target: dict[str, Any]) -> None:
    resolved = CORPUS["names"].get(parse_host_of(target["input"]), [target["reaches"]])
    kinds = {classify(parse_host(f"[{a}]" if ":" in a else a).address).kind for a in resolved}
    network, error = try_to_reach(NEARBY, target["input"])
    if AddressKind.FORBIDDEN in kinds:
        assert isinstance(error, EgressRefused)
        assert network.connected == []
    else:
        assert isinstance(error, EgressFailed)
        assert network.connected[0][0] == target["reaches"]


def parse_host_of(url: str) -> str:
    return prepare_url(url).host.name


@described(MALFORMED)
@pytest.mark.parametrize("policy", [GUARDED, UNGUARDED], ids=["guarded", "unguarded"])
def test_an_invalid_url_is_rejected_with_any_policy(
    target: dict[str, Any], policy: EgressPolicy
) -> None:
    network, error = try_to_reach(policy, target["input"])
    assert (network.resolved, network.connected) == ([], [])
    assert isinstance(error, EgressRefused)
    assert error.is_final


def test_numbers_are_never_given_to_the_resolver() -> None:
    for target in REFUSED:
        host = prepare_url(target["input"]).host
        network, _ = try_to_reach(UNGUARDED, target["input"])
        assert network.resolved == ([] if host.address is not None else [host.name])


def test_the_guard_permits_public_targets() -> None:
    """Otherwise a guard that rejects everything would pass all of the above."""
    for url, address, port in [
        ("http://public.test/", "8.8.8.8", 80),
        ("https://public.test/", "8.8.8.8", 443),
        ("https://public.test:8443/", "8.8.8.8", 8443),
        ("http://8.8.8.8/", "8.8.8.8", 80),
        ("http://134744072/", "8.8.8.8", 80),
        ("http://[2606:4700::1111]/", "2606:4700::1111", 80),
        ("http://[::ffff:8.8.8.8]:9000/", "8.8.8.8", 9000),
        ("http://[64:ff9b::8.8.8.8]/", "64:ff9b::808:808", 80),
        ("http://user:pass@public.test:22/", "8.8.8.8", 22),
    ]:
        network, error = try_to_reach(GUARDED, url)
        assert network.connected == [(address, port)]
        assert isinstance(error, EgressFailed)


def test_the_certificate_is_requested_by_name_and_not_by_address() -> None:
    network, _ = try_to_reach(GUARDED, "https://Public.test.:8443/")
    assert network.server_names == ["public.test"]
    network, _ = try_to_reach(GUARDED, "http://public.test/")
    assert network.server_names == [None]


def test_a_listed_target_is_reached_and_its_neighbour_is_not() -> None:
    policy = EgressPolicy(allow_private=False, allow_list=["10.0.0.0/24", "loopback.test"])
    for url in ("http://private.test/", "http://10.0.0.9/", "http://loopback.test/"):
        assert len(try_to_reach(policy, url)[0].connected) == 1
    for url in ("http://10.0.1.9/", "http://127.0.0.1/", "http://localhost/"):
        assert try_to_reach(policy, url)[0].connected == []


def test_the_rejection_does_not_reveal_a_names_addresses() -> None:
    for name, addresses in CORPUS["names"].items():
        if name != "public.test":
            _, error = try_to_reach(GUARDED, f"http://{name}/")
            assert not any(address in str(error) for address in addresses)


# --- A name that changes its address ----------------------------------------------------


def test_rebinding_never_connects_to_an_address_that_was_not_judged() -> None:
    """Public in one lookup, private in the next, in any rhythm."""

    async def run(answers: list[list[str]]) -> Network:
        network = Network({})
        turns = iter(answers * 20)

        async def resolve(name: str) -> Sequence[str]:
            network.resolved.append(name)
            return next(turns)

        egress = Egress(GUARDED, resolve=resolve, connect=network.connect)
        async with egress:
            for _ in range(20):
                with pytest.raises((EgressRefused, EgressFailed)):
                    await send(egress, "http://rebinding.test/")
        return network

    for answers in (
        [["8.8.8.8"], ["127.0.0.1"]],
        [["127.0.0.1"], ["8.8.8.8"]],
        [["8.8.8.8"], ["8.8.8.8"], ["169.254.169.254"]],
        [["8.8.8.8"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["::ffff:10.0.0.1"]],
    ):
        network = asyncio.run(run(answers))
        # One lookup per request: there is no second one that could differ.
        assert len(network.resolved) == 20
        assert {address for address, _ in network.connected} == {"8.8.8.8"}
        expected = sum((answers * 20)[turn] == ["8.8.8.8"] for turn in range(20))
        assert len(network.connected) == expected


# --- Real connections on loopback -------------------------------------------------------


OK = then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_returned_and_not_followed(status: int) -> None:
    async def run() -> None:
        async with ScriptedReceiver(OK) as inside:
            redirect = (
                f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:{inside.port}/\r\n"
                "Refresh: 0; url=http://169.254.169.254/\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
            async with (
                ScriptedReceiver(then_close(redirect.encode())) as outside,
                Egress(NEARBY) as egress,
            ):
                answer = await send(egress, f"http://127.0.0.1:{outside.port}/")
                assert answer.status == status
                assert (answer.header("location") or "").startswith("http://127.0.0.1:")
                assert (outside.connections, inside.connections) == (1, 0)

    asyncio.run(run())


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with (
            ScriptedReceiver(OK) as proxy,
            ScriptedReceiver(OK) as receiver,
            Egress(NEARBY) as egress,
        ):
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
                monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv("NO_PROXY", "")
            answer = await send(egress, f"http://127.0.0.1:{receiver.port}/")
            assert answer.status == 200
            assert (receiver.connections, proxy.connections) == (1, 0)

    asyncio.run(run())


def test_a_cookie_is_not_sent_back() -> None:
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"

    async def run() -> None:
        async with ScriptedReceiver(cookie) as receiver, Egress(NEARBY) as egress:
            for _ in range(2):
                await send(egress, f"http://127.0.0.1:{receiver.port}/")
            assert len(receiver.heads) == 2
            assert not any("cookie" in head.lower() for head in receiver.heads)

    asyncio.run(run())


def test_an_internal_canary_receives_nothing_while_the_guard_is_on() -> None:
    """The same port is reached a moment later with the guard off, so it was listening."""

    async def run() -> None:
        async with ScriptedReceiver(OK) as canary:
            port = canary.port
            spellings = ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"]
            async with Egress(GUARDED) as egress:
                for host in spellings:
                    with pytest.raises(EgressRefused):
                        await send(egress, f"http://{host}:{port}/")
            assert canary.connections == 0
            async with Egress(UNGUARDED) as egress:
                for host in spellings:
                    assert (await send(egress, f"http://{host}:{port}/")).status == 200
            assert canary.connections == len(spellings)

    asyncio.run(run())
