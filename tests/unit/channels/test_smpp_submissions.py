"""Outbound messages as submit_sm: addresses, alphabets, parts, and options that do not fit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.carrier import OutboundMedium, OutboundMessage, Rejected
from parlour.channels.smpp.addresses import from_smpp, to_smpp
from parlour.channels.smpp.carrier import CARRIER_TYPE, SmppOptions, addresses_of
from parlour.channels.smpp.submissions import make_submissions
from parlour.channels.smpp.texts import decode_text
from tests.support.outbound_messages import outbound_message


def options(**values: Any) -> SmppOptions:
    return msgspec.convert({"hosts": ["smsc"], "system_id": "x"} | values, SmppOptions)


def message(body: str | None = "hello", **fields: Any) -> OutboundMessage:
    return outbound_message(body=body, **fields)


@given(
    st.text(
        st.one_of(st.sampled_from("aé€{ñΔ😀Пç"), st.characters(exclude_categories=["Cs"])),
        min_size=1,
        max_size=800,
    ),
    st.sampled_from(["udh", "sar"]),
    st.sampled_from(["gsm7", "latin1"]),
)
def test_parts_fit_into_a_segment_and_join_to_the_text(text: str, form: str, alphabet: Any) -> None:
    made = make_submissions(message(text), options(long_messages=form, default_alphabet=alphabet))
    assert not isinstance(made, Rejected)
    codings = {each.data_coding for each in made}
    assert len(codings) == 1
    contents = [each.content[6:] if each.esm_class else each.content for each in made]
    joined = b"".join(contents)
    is_ucs2 = codings == {8}
    assert max(map(len, contents)) <= (140 if is_ucs2 else 160)
    if len(made) > 1:
        # Packed, with the header that the SMSC adds to SAR parts.
        assert max(map(len, contents)) <= (134 if is_ucs2 else 153)
        numbers = [each.sar[2] if each.sar else each.content[5] for each in made]
        assert numbers == list(range(1, len(made) + 1))
    decoded = decode_text(joined, codings.pop(), alphabet)
    assert decoded == text.replace("\0", "")
    assert all(len(each.content) <= 160 for each in made)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("+15558675310", (1, 1, "15558675310")),
        ("15558675310", (1, 1, "15558675310")),
        ("12345", (3, 0, "12345")),
        ("Parlour", (5, 0, "Parlour")),
    ],
)
def test_addresses_have_their_type(address: str, expected: tuple[int, int, str]) -> None:
    assert to_smpp(address) == expected


@pytest.mark.parametrize(
    ("ton", "address", "expected"),
    [
        (1, "15558675310", "+15558675310"),
        (1, "+15558675310", "+15558675310"),
        (0, "15558675310", "+15558675310"),
        (0, "0015558675310", "+15558675310"),
        (0, "12345", "12345"),
        (2, "5558675310", "5558675310"),
        (3, "12345", "12345"),
        (5, "Bank", "Bank"),
        (5, "1234567890", "1234567890"),
    ],
)
def test_inbound_addresses_are_in_the_form_of_the_api(
    ton: int, address: str, expected: str
) -> None:
    assert from_smpp(ton, address) == expected


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"is_group": True, "recipients": ("+1555", "+1556")}, 21612),
        ({"sender": None}, 21606),
        ({"sender": "x" * 21}, 21606),
        ({"sender": "Café"}, 21606),
        ({"recipients": ("+" + "1" * 21,)}, 21211),
        ({"body": "A" * (153 * 255 + 1)}, 21617),
        ({"media": (OutboundMedium("ME1", "image/png", 1, None, ""),)}, 21612),
    ],
)
def test_what_smpp_cannot_carry_is_rejected(fields: dict[str, Any], code: int) -> None:
    made = make_submissions(message(**fields), options())
    assert isinstance(made, Rejected)
    assert (made.code, made.retry_after_seconds) == (code, None)


def test_media_with_a_public_url_are_sent_as_links() -> None:
    medium = OutboundMedium("ME1", "image/png", 1, None, "https://example.com/1")
    for body, expected in (
        ("look", "look\nhttps://example.com/1"),
        (None, "https://example.com/1"),
    ):
        made = make_submissions(message(body, media=(medium,)), options())
        assert not isinstance(made, Rejected)
        assert [each.content for each in made] == [expected.encode()]


def test_options_of_the_file_are_in_each_part() -> None:
    values = {
        "source_ton": 5,
        "source_npi": 0,
        "destination_ton": 2,
        "destination_npi": 8,
        "service_type": "CMT",
        "receipts": False,
        "validity_minutes": 2 * 24 * 60 + 3 * 60 + 4,
        "gsm7_coding": 241,
    }
    made = make_submissions(message("A" * 161), options(**values))
    assert not isinstance(made, Rejected)
    for each in made:
        assert (each.source_ton, each.source_npi) == (5, 0)
        assert (each.destination_ton, each.destination_npi) == (2, 8)
        assert (each.service_type, each.registered_delivery) == ("CMT", 0)
        assert (each.validity_period, each.data_coding) == ("000002030400000R", 241)


@pytest.mark.parametrize(
    ("octets", "coding", "alphabet", "expected"),
    [
        (b"\x00 \x1be", 0, "gsm7", "@ €"),
        (b"@ \xf1", 0, "latin1", "@ ñ"),
        (b"{@}", 1, "gsm7", "{@}"),
        (b"\x1b(\x00\x1b)", 1, "gsm7", "{@}"),
        (b"\xf1", 3, "gsm7", "ñ"),
        ("ж".encode(), 4, "gsm7", "ж"),
        (b"\xff", 4, "gsm7", "ÿ"),
        (b"\xd0", 6, "gsm7", "а"),
        ("😀".encode("utf-16-be"), 8, "gsm7", "😀"),
        ("😀".encode("utf-16-be")[:3], 8, "gsm7", "\ufffd"),
        (b"\x00", 0xF1, "gsm7", "@"),
        (b"\xff", 0xF5, "gsm7", "ÿ"),
        (b"\x04\x16", 0x18, "gsm7", "Ж"),
        (b"\x00", 0x11, "gsm7", "@"),
        (b"\x04\x16", 0xE0, "gsm7", "Ж"),
        (b"\x00", 0xC0, "gsm7", "@"),
        (b"\x00\x00\x00a", 8, "gsm7", "a"),
    ],
)
def test_texts_are_decoded_by_their_coding(
    octets: bytes, coding: int, alphabet: Any, expected: str
) -> None:
    assert decode_text(octets, coding, alphabet) == expected


@given(st.binary(max_size=140), st.integers(0, 255))
def test_any_octets_of_any_coding_are_a_text_for_the_database(octets: bytes, coding: int) -> None:
    text = decode_text(octets, coding, "gsm7")
    assert "\0" not in text
    text.encode()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"hosts": []}, "hosts is empty"),
        ({"hosts": ["a:b"]}, "no host"),
        ({"hosts": ["user@a"]}, "no host"),
        ({"hosts": ["a:1/path"]}, "no host"),
        ({"hosts": ["a:99999"]}, "no host"),
        ({"password": "123456789"}, "password has more than 8"),
        ({"system_id": "é"}, "system_id"),
        ({"window": 0}, "window is 0"),
        ({"hosts": ["a"] * 3, "links_per_host": 20}, "60 links"),
        ({"submit_id": "hex"}, "submit_id and receipt_id"),
        ({"join_seconds": 1e9}, "join_seconds"),
    ],
)
def test_options_that_do_not_fit_are_named(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CARRIER_TYPE.make("smsc", options(**values), None)  # type: ignore[arg-type]


def test_hosts_have_default_ports() -> None:
    hosts = ["smsc", "smsc:1", "[::1]:2", "[::1]"]
    assert addresses_of(options(hosts=hosts)) == [
        ("smsc", 2775),
        ("smsc", 1),
        ("::1", 2),
        ("::1", 2775),
    ]
    assert addresses_of(options(hosts=["smsc"], tls=True)) == [("smsc", 3550)]


def test_unknown_options_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="windw"):
        options(windw=3)
