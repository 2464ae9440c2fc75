"""PDUs of SMPP: compared with the codec of smpp34, and any bytes."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.smpp import pdus
from parlour.channels.smpp.pdus import PduError, SubmitPdu

OCTETS = st.integers(0, 255)
DIGITS = st.text("0123456789", min_size=1, max_size=20)
TLVS = st.dictionaries(st.integers(1, 0xFFFF), st.binary(max_size=300), max_size=4)


@given(
    source=DIGITS,
    destination=DIGITS,
    content=st.binary(max_size=254),
    octets=st.tuples(OCTETS, OCTETS, OCTETS, OCTETS, OCTETS, OCTETS),
    sar=st.none() | st.tuples(st.integers(0, 0xFFFF), OCTETS, OCTETS),
    sequence=st.integers(1, pdus.SEQUENCE_MAX),
)
def test_a_submission_is_read_by_smpp34_as_it_was_built(
    source: str,
    destination: str,
    content: bytes,
    octets: tuple[int, ...],
    sar: tuple[int, int, int] | None,
    sequence: int,
) -> None:
    ton, npi, coding, esm_class, to_ton, to_npi = octets
    submit = SubmitPdu(
        ton, npi, source, to_ton, to_npi, destination, content, coding, esm_class, sar, "CMT"
    )
    read: Any = smpp34.decode(pdus.build_submit(submit, sequence))
    assert isinstance(read, smpp34.SubmitSm)
    assert (read.source_addr_ton, read.source_addr_npi, read.source_addr) == (ton, npi, source)
    assert (read.dest_addr_ton, read.dest_addr_npi) == (to_ton, to_npi)
    assert (read.destination_addr, read.short_message) == (destination, content)
    assert (read.data_coding, read.esm_class, read.sequence_number) == (coding, esm_class, sequence)
    assert read.service_type == "CMT"
    tlvs = {each.tag: each.value for each in read.tlvs}
    expected = {} if sar is None else dict(zip((0x20C, 0x20E, 0x20F), sar, strict=True))
    assert {tag: int.from_bytes(value) for tag, value in tlvs.items()} == expected


@given(source=DIGITS, destination=DIGITS, content=st.binary(max_size=254), tlvs=TLVS, esm=OCTETS)
def test_a_message_of_smpp34_is_read_as_it_was_built(
    source: str, destination: str, content: bytes, tlvs: dict[int, bytes], esm: int
) -> None:
    built = smpp34.DeliverSm(
        source,
        destination,
        content,
        source_addr_ton=1,
        esm_class=esm,
        data_coding=8,
        tlvs=[smpp34.Tlv(tag, value) for tag, value in tlvs.items()],
    ).encode()
    read = pdus.parse_delivered(built)
    assert (read.source, read.destination, read.source_ton) == (source, destination, 1)
    assert (read.esm_class, read.data_coding, read.tlvs) == (esm, 8, tlvs)
    assert read.content == (content or tlvs.get(pdus.TLV_MESSAGE_PAYLOAD, b""))


@given(
    st.sampled_from([pdus.DELIVER_SM, pdus.DATA_SM]),
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from([b"\0", b"\1", b"1", b"\xff", b"\4\x24"]), max_size=60).map(
            b"".join
        ),
    ),
)
def test_any_body_is_a_message_or_an_error(command: int, body: bytes) -> None:
    pdu = pdus.HEADER.pack(16 + len(body), command, 0, 1) + body
    try:
        read = pdus.parse_delivered(pdu)
    except PduError:
        return
    assert 0 < len(read.source) <= 65
    assert 0 < len(read.destination) <= 65
    assert len(read.content) <= len(body)


@given(st.data())
def test_a_message_that_ends_early_is_an_error(data: st.DataObject) -> None:
    built = smpp34.DeliverSm("123", "456", b"content", tlvs=[smpp34.Tlv(0x1E, b"abc")]).encode()
    whole = pdus.parse_delivered(built)
    cut = data.draw(st.integers(16, len(built) - 1))
    try:
        read = pdus.parse_delivered(built[:cut])
    except PduError:
        return
    # Only the optional parameter may be missing.
    assert read == pdus.DeliveredPdu(**(_fields(whole) | {"tlvs": {}}))


def _fields(pdu: pdus.DeliveredPdu) -> dict[str, Any]:
    return {name: getattr(pdu, name) for name in pdu.__struct_fields__}


@pytest.mark.parametrize("fields", [{"destination": "1" * 21}, {"source": "é"}])
def test_an_address_that_does_not_fit_is_an_error_and_not_truncated(fields: dict[str, str]) -> None:
    values: dict[str, Any] = {"source": "1", "destination": "2"} | fields
    submit = SubmitPdu(
        source_ton=1, source_npi=1, destination_ton=1, destination_npi=1, content=b"",
        data_coding=0, **values,
    )  # fmt: skip
    with pytest.raises(ValueError, match="does not fit"):
        pdus.build_submit(submit, 1)


def test_content_that_does_not_fit_is_an_error() -> None:
    submit = SubmitPdu(1, 1, "1", 1, 1, "2", b"x" * 255, 0)
    with pytest.raises(ValueError, match="does not fit"):
        pdus.build_submit(submit, 1)


@pytest.mark.parametrize("command", [pdus.DELIVER_SM, pdus.DATA_SM, pdus.ENQUIRE_LINK, pdus.UNBIND])
def test_responses_have_the_length_that_they_declare(command: int) -> None:
    pdu = pdus.build_response(command, 7, 0x64)
    length, found, status, sequence = struct.unpack_from(">IIII", pdu)
    assert (length, found, status, sequence) == (len(pdu), command | 0x8000_0000, 0x64, 7)


def test_identifiers_end_at_a_zero_octet_or_at_their_end() -> None:
    assert [pdus.parse_text(each) for each in (b"ab\0", b"ab", b"ab\0\0x", b"")] == [
        "ab",
        "ab",
        "ab",
        "",
    ]


def test_statuses_are_described() -> None:
    assert pdus.describe(0x0E) == "0x0e Invalid Password"
    assert pdus.describe(0x4321) == "0x4321 unknown status"
