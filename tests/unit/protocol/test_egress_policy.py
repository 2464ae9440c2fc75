"""Which hosts may be called: the table of addresses, the reading of hosts, the list."""

# ruff: noqa: S104 - addresses are judged here, nothing is bound.
from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.protocol.egress_policy import (
    TABLE,
    AddressKind,
    AddressRange,
    EgressPolicy,
    EgressRefused,
    classify,
    default_policy,
    parse_host,
    unwrap,
)

PUBLIC_ONLY = EgressPolicy(allow_private=False)
NEARBY = EgressPolicy(allow_private=True)
EVERYTHING = EgressPolicy(allow_private=False, allow_list=["0.0.0.0/0", "::/0"])

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0.0.0.0", AddressKind.FORBIDDEN),
        ("0.255.255.255", AddressKind.FORBIDDEN),
        ("1.0.0.0", AddressKind.PUBLIC),
        ("9.255.255.255", AddressKind.PUBLIC),
        ("10.0.0.0", AddressKind.PRIVATE),
        ("10.255.255.255", AddressKind.PRIVATE),
        ("11.0.0.0", AddressKind.PUBLIC),
        ("100.63.255.255", AddressKind.PUBLIC),
        ("100.64.0.0", AddressKind.PRIVATE),
        ("100.100.100.200", AddressKind.FORBIDDEN),
        ("100.127.255.255", AddressKind.PRIVATE),
        ("100.128.0.0", AddressKind.PUBLIC),
        ("126.255.255.255", AddressKind.PUBLIC),
        ("127.0.0.0", AddressKind.LOOPBACK),
        ("127.255.255.255", AddressKind.LOOPBACK),
        ("128.0.0.0", AddressKind.PUBLIC),
        ("168.63.129.15", AddressKind.PUBLIC),
        ("168.63.129.16", AddressKind.FORBIDDEN),
        ("169.253.255.255", AddressKind.PUBLIC),
        ("169.254.0.0", AddressKind.FORBIDDEN),
        ("169.254.169.254", AddressKind.FORBIDDEN),
        ("169.255.0.0", AddressKind.PUBLIC),
        ("172.15.255.255", AddressKind.PUBLIC),
        ("172.16.0.0", AddressKind.PRIVATE),
        ("172.31.255.255", AddressKind.PRIVATE),
        ("172.32.0.0", AddressKind.PUBLIC),
        ("192.0.0.0", AddressKind.FORBIDDEN),
        ("192.0.0.192", AddressKind.FORBIDDEN),
        ("192.0.1.0", AddressKind.PUBLIC),
        ("192.0.2.1", AddressKind.FORBIDDEN),
        ("192.88.99.1", AddressKind.FORBIDDEN),
        ("192.167.255.255", AddressKind.PUBLIC),
        ("192.168.0.0", AddressKind.PRIVATE),
        ("192.169.0.0", AddressKind.PUBLIC),
        ("198.17.255.255", AddressKind.PUBLIC),
        ("198.18.0.0", AddressKind.FORBIDDEN),
        ("198.19.255.255", AddressKind.FORBIDDEN),
        ("198.20.0.0", AddressKind.PUBLIC),
        ("198.51.100.7", AddressKind.FORBIDDEN),
        ("203.0.113.7", AddressKind.FORBIDDEN),
        ("223.255.255.255", AddressKind.PUBLIC),
        ("224.0.0.0", AddressKind.FORBIDDEN),
        ("239.255.255.255", AddressKind.FORBIDDEN),
        ("240.0.0.0", AddressKind.FORBIDDEN),
        ("255.255.255.255", AddressKind.FORBIDDEN),
        ("::", AddressKind.FORBIDDEN),
        ("::1", AddressKind.LOOPBACK),
        ("::2", AddressKind.FORBIDDEN),
        ("::127.0.0.1", AddressKind.FORBIDDEN),
        ("::8.8.8.8", AddressKind.FORBIDDEN),
        ("::ffff:8.8.8.8", AddressKind.PUBLIC),
        ("::ffff:127.0.0.1", AddressKind.LOOPBACK),
        ("::ffff:10.0.0.1", AddressKind.PRIVATE),
        ("::ffff:169.254.169.254", AddressKind.FORBIDDEN),
        ("::ffff:0:127.0.0.1", AddressKind.FORBIDDEN),
        ("64:ff9b::8.8.8.8", AddressKind.PUBLIC),
        ("64:ff9b::127.0.0.1", AddressKind.FORBIDDEN),
        ("64:ff9b::10.0.0.1", AddressKind.FORBIDDEN),
        ("64:ff9b::169.254.169.254", AddressKind.FORBIDDEN),
        ("64:ff9b:1::8.8.8.8", AddressKind.FORBIDDEN),
        ("100::1", AddressKind.FORBIDDEN),
        ("1fff:ffff::", AddressKind.FORBIDDEN),
        ("2000::1", AddressKind.PUBLIC),
        ("2001::1", AddressKind.FORBIDDEN),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", AddressKind.FORBIDDEN),
        ("2001:10::1", AddressKind.FORBIDDEN),
        ("2001:20::1", AddressKind.FORBIDDEN),
        ("2001:1ff:ffff::", AddressKind.FORBIDDEN),
        ("2001:200::1", AddressKind.PUBLIC),
        ("2001:db7:ffff::1", AddressKind.PUBLIC),
        ("2001:db8::1", AddressKind.FORBIDDEN),
        ("2001:db9::1", AddressKind.PUBLIC),
        ("2002:7f00:1::", AddressKind.FORBIDDEN),
        ("2002:808:808::1", AddressKind.FORBIDDEN),
        ("2003::1", AddressKind.PUBLIC),
        ("2606:4700::1111", AddressKind.PUBLIC),
        ("2606:4700::5efe:a00:1", AddressKind.FORBIDDEN),
        ("2606:4700::200:5efe:a00:1", AddressKind.FORBIDDEN),
        ("3ffe::1", AddressKind.FORBIDDEN),
        ("3fff::1", AddressKind.FORBIDDEN),
        ("3fff:1000::1", AddressKind.PUBLIC),
        ("4000::1", AddressKind.FORBIDDEN),
        ("5f00::1", AddressKind.FORBIDDEN),
        ("fbff::1", AddressKind.FORBIDDEN),
        ("fc00::1", AddressKind.PRIVATE),
        ("fd00:ec2::254", AddressKind.FORBIDDEN),
        ("fd20:ce::254", AddressKind.FORBIDDEN),
        ("fdff:ffff::1", AddressKind.PRIVATE),
        ("fe00::1", AddressKind.FORBIDDEN),
        ("fe80::1", AddressKind.FORBIDDEN),
        ("fec0::1", AddressKind.FORBIDDEN),
        ("ff02::1", AddressKind.FORBIDDEN),
    ],
)
def test_the_table_knows_the_kind_of_each_address(text: str, kind: AddressKind) -> None:
    assert classify(ip_address(text)).kind is kind


@settings(deadline=None)
@given(ADDRESSES)
def test_every_address_has_a_kind(address: IPv4Address | IPv6Address) -> None:
    assert classify(address) is not None


@settings(deadline=None)
@given(ADDRESSES)
def test_nothing_is_public_that_python_calls_local(address: IPv4Address | IPv6Address) -> None:
    # The other way round would not hold: Python calls much more global than is.
    if classify(address).kind is AddressKind.PUBLIC:
        near = unwrap(address)
        assert not near.is_private or near in ip_network("64:ff9b::/96")
        assert not near.is_multicast
        assert not near.is_reserved or near in ip_network("64:ff9b::/96")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row.network))
def test_each_row_of_the_table_decides_on_something(row: AddressRange) -> None:
    network = row.network
    inside = [network[0], network[network.num_addresses // 2], network[-1]]
    assert "NAT64" in row.purpose or row in map(classify, inside)


# --- Hosts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("127.258", "127.0.1.2"),
        ("10.1.258", "10.1.1.2"),
        ("2130706433", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F000001", "127.0.0.1"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0x", "0.0.0.0"),
        ("00.0x0.0", "0.0.0.0"),
        ("4294967295", "255.255.255.255"),
        ("①②⑦.⓪.⓪.①", "127.0.0.1"),
        ("１２７。０。０。１", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("[::FFFF:7F00:1]", "127.0.0.1"),
        ("[2606:4700::1111]", "2606:4700::1111"),
    ],
)
def test_each_notation_of_a_number_is_one_address(text: str, address: str) -> None:
    assert str(parse_host(text).address) == address


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_notations_of_an_address_agree(address: IPv4Address) -> None:
    a, b, c, d = address.packed
    notations = [
        str(address), str(int(address)), hex(int(address)), f"0{int(address):o}",
        f"{a}.{int(address) & 0xFFFFFF}", f"{a}.{b}.{c << 8 | d}",
        f"0{a:o}.{b:#x}.{c}.{d:#X}", f"[::ffff:{address}]",
    ]  # fmt: skip
    assert {parse_host(text).address for text in notations} == {address}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("a_b.example", "a_b.example"),
        ("1and1.example", "1and1.example"),
        ("127.0.0.1.nip.io", "127.0.0.1.nip.io"),
        ("0x7f.example", "0x7f.example"),
        ("0xg", "0xg"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("loc\N{LATIN SMALL LETTER LONG S}lhost", "locslhost"),
    ],
)
def test_other_hosts_are_names(text: str, name: str) -> None:
    host = parse_host(text)
    assert (host.name, host.address) == (name, None)


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", ".a", "-a.b", "a-.b", "a b", "a/b", "a%62", "a:b", "a@b", "a\\b",
        "a" * 64, "a." * 126 + "ab", "1.2.3.4.5", "256.1.1.1", "1.2.3.256", "1.2.65536",
        "1.16777216", "4294967296", "08.1.1.1", "0x100.1.1.1", "a.1", "a.0x1",
        "0" * 30, "1" * 30, "[]", "[1.2.3.4]", "[::1%25lo]", "[::1%lo]", "[:::1]", "[::1", "[g::]",
        "[fe80::1%1]", "faß.example", "ς.example", "a\u200db.example", "a／b.example",
        "\ud800.example", "xn--\xfc.example\x00",
    ],
)  # fmt: skip
def test_an_invalid_host_is_rejected_permanently(text: str) -> None:
    with pytest.raises(EgressRefused) as caught:
        parse_host(text)
    assert caught.value.is_final
    assert caught.value.code == 11210


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_host_or_is_refused(text: str) -> None:
    try:
        host = parse_host(text)
    except EgressRefused:
        return
    assert host.text.isascii()
    assert host.name


# --- The policy -------------------------------------------------------------------------

NAME = parse_host("hooks.example.com")


def test_public_addresses_are_handed_back_in_order() -> None:
    resolved = ["2606:4700::1111", "8.8.8.8", "::ffff:8.8.4.4"]
    decided = PUBLIC_ONLY.decide(NAME, resolved)
    assert [str(address) for address in decided] == ["2606:4700::1111", "8.8.8.8", "8.8.4.4"]


@pytest.mark.parametrize("bad", ["127.0.0.1", "::1", "10.0.0.1", "fd12::1", "169.254.169.254"])
def test_one_bad_address_refuses_them_all(bad: str) -> None:
    for resolved in (["8.8.8.8", bad], [bad, "8.8.8.8"], ["8.8.8.8", bad, "8.8.4.4"]):
        with pytest.raises(EgressRefused) as caught:
            PUBLIC_ONLY.decide(NAME, resolved)
        assert caught.value.code == 11205
        assert not caught.value.is_final
        # The account must not learn where the operator's names lead.
        assert bad not in str(caught.value)


def test_a_name_without_an_address_may_get_one_later() -> None:
    with pytest.raises(EgressRefused) as caught:
        PUBLIC_ONLY.decide(NAME, [])
    assert (caught.value.code, caught.value.is_final) == (11210, False)


def test_an_address_with_a_zone_is_refused_even_where_all_is_allowed() -> None:
    with pytest.raises(EgressRefused):
        EVERYTHING.decide(NAME, ["fe80::1%2"])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "fd12::1", "100.64.0.1"])
def test_a_policy_for_nearby_allows_loopback_and_private(address: str) -> None:
    assert NEARBY.decide(NAME, [address]) == (ip_address(address),)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "0.0.0.0", "fe80::1", "64:ff9b::7f00:1", "2002:7f00:1::"]
)
def test_a_policy_for_nearby_still_refuses_the_forbidden(address: str) -> None:
    with pytest.raises(EgressRefused):
        NEARBY.decide(NAME, [address])


def test_a_listed_network_allows_its_addresses() -> None:
    policy = EgressPolicy(allow_private=False, allow_list=["10.1.0.0/16", "fd12::/64", "127.0.0.2"])
    for address in ("10.1.2.3", "fd12::9", "127.0.0.2", "::ffff:10.1.2.3", "8.8.8.8"):
        assert policy.decide(NAME, [address])
    for address in ("10.2.0.1", "fd13::9", "127.0.0.1"):
        with pytest.raises(EgressRefused):
            policy.decide(NAME, [address])


def test_a_listed_name_allows_private_addresses_and_no_forbidden_ones() -> None:
    policy = EgressPolicy(allow_private=False, allow_list=["Hooks.Internal."])
    listed = parse_host("hooks.INTERNAL")
    assert policy.decide(listed, ["10.0.0.1", "127.0.0.1"])
    for name, address in (
        ("hooks.internal", "169.254.169.254"),
        ("a.hooks.internal", "10.0.0.1"),
        ("internal", "10.0.0.1"),
    ):
        with pytest.raises(EgressRefused):
            policy.decide(parse_host(name), [address])


def test_a_list_of_all_networks_switches_the_guard_off() -> None:
    for address in ("169.254.169.254", "::ffff:127.0.0.1", "ff02::1", "64:ff9b::7f00:1"):
        assert EVERYTHING.decide(NAME, [address])


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.1/8", "a b", "*.example.com", "10.0.0.0/99", "0x7f.1"]
)
def test_an_entry_that_is_neither_network_nor_name_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match=r"is neither|has to be written"):
        EgressPolicy(allow_private=False, allow_list=[entry])


@pytest.mark.parametrize(
    ("listening_on", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.0.0.53", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.5", False),
        ("8.8.8.8", False),
        ("parlour.example.com", False),
        ("", False),
    ],
)
def test_private_addresses_are_allowed_on_a_loopback_server(
    listening_on: str, is_local: bool
) -> None:
    policy = default_policy(listening_on, ["10.9.0.0/16"])
    assert policy.allow_private is is_local
    assert policy.allow_list == ("10.9.0.0/16",)
