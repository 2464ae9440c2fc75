"""The client's address and scheme behind a proxy."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol.forwarded import (
    ForwardingHeaders,
    TrustedProxies,
    client_network,
    parse_address,
    parse_networks,
)

PROXIES = TrustedProxies(parse_networks("127.0.0.0/8, ::1, 10.0.0.0/8,2001:db8:1::/48"))
LOCAL = "127.0.0.1"


def client(peer: str = LOCAL, **headers: list[str]) -> str:
    return PROXIES.resolve_client(peer, "http", ForwardingHeaders(**headers)).address


def scheme(peer: str = LOCAL, **headers: list[str]) -> str:
    return PROXIES.resolve_client(peer, "http", ForwardingHeaders(**headers)).scheme


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ([], LOCAL),
        ([""], LOCAL),
        (["192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1:4711"], "192.0.2.1"),
        (["203.0.113.9, 192.0.2.1"], "192.0.2.1"),
        (["203.0.113.9", "192.0.2.1"], "192.0.2.1"),
        (["203.0.113.9 , 192.0.2.1,10.1.1.1"], "192.0.2.1"),
        (["10.1.1.2,10.1.1.1"], "10.1.1.2"),
        (["2001:DB8::1"], "2001:db8::1"),
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (["192.0.2.1, 2001:db8:1::7"], "192.0.2.1"),
        (["::ffff:192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1, ::ffff:10.0.0.1"], "192.0.2.1"),
        (["192.0.2.1, unknown"], LOCAL),
        (["192.0.2.1, "], LOCAL),
        (["192.0.2.1, 10.0.0.5, fe80::1%eth0, 10.0.0.6"], "10.0.0.6"),
        (["192.0.2.1 192.0.2.2"], LOCAL),
        (["192.0.2.1:port"], LOCAL),
        (["0300.0.2.1"], LOCAL),
        (["\u0661.\u0661.\u0661.\u0661"], LOCAL),
        (["1.2.3"], LOCAL),
        (["a" * 10_000], LOCAL),
    ],
)
def test_the_list_is_read_from_its_end(lines: list[str], address: str) -> None:
    assert client(x_forwarded_for=lines) == address


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["for=192.0.2.1"], "192.0.2.1"),
        (["For=192.0.2.1;Proto=https;by=203.0.113.43"], "192.0.2.1"),
        (['for="192.0.2.1:47"'], "192.0.2.1"),
        (['for="[2001:db8:cafe::17]:4711"'], "2001:db8:cafe::17"),
        (['for="192.0.2\\.1"'], "192.0.2.1"),
        (["for=203.0.113.9, for=192.0.2.1"], "192.0.2.1"),
        (["for=203.0.113.9", "for=192.0.2.1;"], "192.0.2.1"),
        (['for="192.0.2.1, for=203.0.113.9"'], LOCAL),
        (['host="a, for=203.0.113.9";for=192.0.2.1'], "192.0.2.1"),
        (["for=192.0.2.1;for=203.0.113.9"], "192.0.2.1"),
        (["for=[2001:db8::1]"], LOCAL),
        (["for=_hidden"], LOCAL),
        (["for=unknown"], LOCAL),
        (["proto=https"], LOCAL),
        (["for=203.0.113.9, ;"], LOCAL),
        (['for="192.0.2.1'], LOCAL),
        (["for=192.0.2.1, for"], LOCAL),
    ],
)
def test_forwarded_elements_are_parsed_by_the_rfc(lines: list[str], address: str) -> None:
    assert client(forwarded=lines) == address


def test_both_headers_must_agree() -> None:
    both = {"x_forwarded_for": ["192.0.2.1"], "forwarded": ["for=192.0.2.1"]}
    assert client(**both) == "192.0.2.1"
    assert client(**(both | {"forwarded": ["for=192.0.2.9"]})) == LOCAL


def test_untrusted_peers_are_ignored() -> None:
    headers = {"x_forwarded_for": ["10.0.0.1"], "forwarded": ["for=10.0.0.1;proto=https"]}
    for peer in ("192.0.2.7", "2001:db8::1", "", "a socket"):
        assert client(peer, **headers) == peer
        assert scheme(peer, x_forwarded_proto=["https"]) == "http"


def test_the_scheme_needs_agreement_of_the_proxies() -> None:
    assert scheme(x_forwarded_proto=["https"]) == "https"
    assert scheme(forwarded=["for=192.0.2.1;proto=HTTPS"]) == "https"
    assert scheme(forwarded=["for=_hidden;proto=https"]) == "https"
    assert scheme(forwarded=["for=1.2.3.4;proto=https, for=192.0.2.1;proto=http"]) == "http"
    assert scheme(x_forwarded_proto=["https"], forwarded=["for=192.0.2.1"]) == "https"
    assert scheme(x_forwarded_proto=["http"], forwarded=["for=192.0.2.1;proto=https"]) == "http"
    assert scheme(x_forwarded_proto=["https", "http"]) == "http"
    assert scheme(x_forwarded_proto=["javascript"]) == "http"


def test_an_ipv6_customer_is_a_network() -> None:
    assert client_network("2001:db8::1") == client_network("2001:db8::ffff:1") == "2001:db8::/64"
    assert client_network("::1") == "::/64"
    assert client_network("::ffff:192.0.2.1") == client_network("192.0.2.1") == "192.0.2.1"
    assert client_network("") == ""


@pytest.mark.parametrize("text", ["10.0.0.0/33", "example.com", "10.0.0.0/8;::1"])
def test_an_invalid_network_is_reported_in_one_message(text: str) -> None:
    with pytest.raises(ValueError, match="is not a network or an address"):
        parse_networks(text)


def test_a_network_with_bits_behind_its_prefix_is_refused_with_the_one_that_is_meant() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8 has bits set .* is 10\.0\.0\.0/8"):
        parse_networks("10.0.0.1/8")


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
LINES = st.lists(
    st.one_of(
        st.text(st.characters(max_codepoint=0xFF), max_size=60),
        st.text('for="proto;,[]:.0127 \\https', max_size=60),
        st.lists(ADDRESSES, max_size=4).map(", ".join),
    ),
    max_size=3,
)


@given(LINES, LINES, LINES, st.one_of(st.just(LOCAL), ADDRESSES, st.text(max_size=8)))
def test_it_never_raises_and_gives_an_address_or_the_peer(
    listed: list[str], protos: list[str], elements: list[str], peer: str
) -> None:
    found = PROXIES.resolve_client(peer, "http", ForwardingHeaders(listed, protos, elements))
    assert found.address == peer or ip_address(found.address)
    assert found.scheme in {"http", "https"}


@given(LINES, ADDRESSES)
def test_headers_of_a_client_do_not_change_the_address_from_its_proxy(
    sent: list[str], real: str
) -> None:
    address = parse_address(real)
    if PROXIES.trusts(real):
        return
    assert client(x_forwarded_for=[*sent, real]) == str(address)
    named = f'for="[{real}]"' if ":" in real else f"for={real}"
    assert client(forwarded=[*sent, named]) == str(address)
