"""Addresses of users and of senders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol.addresses import (
    ChannelAddress,
    normalise_address,
    parse_address,
    parse_proxy_address,
)


@pytest.mark.channel("C5")
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("+15558675310", "sms"),
        ("+12", "sms"),
        ("+123456789012345", "sms"),
        ("whatsapp:+15558675310", "whatsapp"),
        ("messenger:1234567890", "messenger"),
        ("messenger:page.name", "messenger"),
        ("rcs:+15558675310", "rcs"),
        ("rcs:brand_agent", "rcs"),
        ("gbm:5a1b-22", "gbm"),
        ("apple:urn:mbid:AQAAY3", "apple"),
        ("urn:mbid:AQAAY3/x+y=", "apple"),
        ("alice@example.com", "email"),
        ("alice.b+tag@mail.example.co", "email"),
    ],
)
def test_an_address_belongs_to_its_channel(text: str, kind: str) -> None:
    assert parse_address(text) == ChannelAddress(kind, text)
    assert parse_proxy_address(text) == ChannelAddress(kind, text)


@pytest.mark.channel("C5")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "+1",
        "+05558675310",
        "15558675310",
        "+1555867531012345",
        "+1 555 867 5310",
        "+1555867531x",
        "+١555",
        "+15558675310\n",
        "tel:+15558675310",
        "whatsapp:",
        "whatsapp:15558675310",
        "whatsapp:alice",
        "WhatsApp:+15558675310",
        "messenger:",
        "messenger:a b",
        "rcs:",
        "gbm:",
        "apple:",
        "urn:mbid:",
        "alice",
        "alice@",
        "@example.com",
        "alice@localhost",
        "a@b@example.com",
        ".a@example.com",
        "a..b@example.com",
        "a b@c.de",
        "a@-b.de",
        "a@b-.de",
        "a@b..de",
        "null",
        "12",
        "123456789",
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    assert parse_address(text) is None
    assert parse_proxy_address(text) is None


@pytest.mark.parametrize("text", ["123", "12345", "12345678"])
def test_a_short_code_is_a_sender_only(text: str) -> None:
    assert parse_proxy_address(text) == ChannelAddress("sms", text)
    assert parse_address(text) is None


def test_an_address_has_a_length() -> None:
    longest = "messenger:" + "a" * 246
    assert parse_address(longest) == ChannelAddress("messenger", longest)
    assert parse_address(longest + "a") is None
    assert parse_address("a@" + "b." * 200_000) is None


@given(st.text())
def test_an_address_comes_back_as_received(text: str) -> None:
    for address in (parse_address(text), parse_proxy_address(text)):
        assert address is None or address.text == text


@pytest.mark.channel("C6")
@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (" +15558675310\n", "+15558675310"),
        ("WhatsApp:+15558675310 ", "whatsapp:+15558675310"),
        ("MESSENGER:AbC", "messenger:AbC"),
        ("URN:mbid:AbC", "urn:mbid:AbC"),
        ("Ann.Lee@Example.COM", "Ann.Lee@example.com"),
        (" 15558675310 ", " 15558675310"),
        ("  12345", "  12345"),
        ("", ""),
    ],
)
def test_an_address_has_one_form_for_comparisons(text: str, normal: str) -> None:
    assert normalise_address(text) == normal


@given(st.text())
def test_the_form_for_comparisons_is_stable(text: str) -> None:
    normal = normalise_address(text)
    assert normalise_address(normal) == normal


@given(st.emails())
def test_no_address_without_a_channel(text: str) -> None:
    address = parse_address(text)
    assert address is None or address.type == "email"
