"""Delivery receipts of SMPP: identifiers in all spellings, texts and optional parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.smpp import pdus
from parlour.channels.smpp.pdus import DeliveredPdu
from parlour.channels.smpp.receipts import (
    SmscReceipt,
    is_receipt,
    make_report,
    normal_id,
    parse_receipt,
)


def pdu(text: str = "", tlvs: dict[int, bytes] | None = None, esm_class: int = 4) -> DeliveredPdu:
    return DeliveredPdu(1, "1", 1, "2", esm_class, 0, text.encode("latin-1"), tlvs or {})


@given(st.integers(0, 2**64), st.integers(0, 12), st.booleans())
def test_all_spellings_of_an_identifier_are_one(number: int, zeros: int, is_upper: bool) -> None:
    spelled = "0" * zeros + f"{number:x}"
    spelled = spelled.upper() if is_upper else spelled
    assert normal_id(f" {spelled}", "text") == f"{number:x}"
    assert normal_id(spelled, "hex") == normal_id(f"{number:010}", "decimal") == str(number)


@given(st.text(max_size=80), st.sampled_from(["text", "hex", "decimal"]))
def test_any_identifier_has_a_normal_form_that_is_stable(text: str, base: str) -> None:
    assert base in {"text", "hex", "decimal"}
    once = normal_id(text, "text")
    assert normal_id(once, "text") == once
    normal_id(text, "hex")
    normal_id(text, "decimal")


@pytest.mark.parametrize("text", ["msg-0a7f", "0x1F", "1_000", "٣"])
def test_an_identifier_that_is_no_number_is_a_text_under_each_option(text: str) -> None:
    expected = text.lower().lstrip("0")
    assert normal_id(text, "decimal") == normal_id(text, "hex") == expected


@given(
    fields=st.permutations(
        ["id:0A1b", "stat:DELIVRD", "err:012", "sub:001", "done date:2612011200"]
    ),
    is_upper=st.booleans(),
    spaces=st.sampled_from([" ", "  ", "\n"]),
)
def test_the_fields_of_a_text_come_in_any_order_and_case(
    fields: list[str], is_upper: bool, spaces: str
) -> None:
    text = spaces.join(fields) + " text:id:7 stat:UNDELIV err:999"
    receipt = parse_receipt(pdu(text.upper() if is_upper else text))
    assert receipt is not None
    assert normal_id(receipt.message_id, "text") == "a1b"
    assert (receipt.state, receipt.error) == ("DELIVRD", "012")


def test_optional_parameters_go_before_the_text() -> None:
    tlvs = {
        pdus.TLV_RECEIPTED_MESSAGE_ID: b"abc\0",
        pdus.TLV_MESSAGE_STATE: b"\x05",
        pdus.TLV_NETWORK_ERROR_CODE: b"\x03\x00\x21",
    }
    found = parse_receipt(pdu("id:other stat:DELIVRD", tlvs))
    assert found == SmscReceipt("abc", "UNDELIV", "33")
    assert parse_receipt(pdu("id:other stat:DELIVRD err:7", tlvs)) == SmscReceipt(
        "abc", "UNDELIV", "7"
    )


def test_each_missing_field_is_taken_from_the_other_form() -> None:
    by_state = pdu("id:abc", {pdus.TLV_MESSAGE_STATE: b"\x02"})
    by_id = pdu("stat:EXPIRED", {pdus.TLV_RECEIPTED_MESSAGE_ID: b"abc"})
    assert parse_receipt(by_state) == SmscReceipt("abc", "DELIVRD", "")
    assert parse_receipt(by_id) == SmscReceipt("abc", "EXPIRED", "")


@pytest.mark.parametrize("text", ["", "id:abc", "stat:DELIVRD", "hello", "text:id:a stat:DELIVRD"])
def test_a_text_without_identifier_or_state_is_no_receipt(text: str) -> None:
    assert parse_receipt(pdu(text)) is None


@given(st.binary(max_size=200), st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=20)))
def test_any_content_is_parsed(content: bytes, tlvs: dict[int, bytes]) -> None:
    receipt = parse_receipt(DeliveredPdu(1, "1", 1, "2", 4, 0, content, tlvs))
    if receipt is not None:
        assert receipt.message_id
        make_report(receipt, "hex", {})


@pytest.mark.parametrize(
    ("esm_class", "tags", "expected"),
    [
        (0x04, (), True),
        (0x44, (), True),
        (0x20, (), True),
        (0x00, (), False),
        (0x40, (), False),
        (0x08, (), False),
        (0x00, (pdus.TLV_RECEIPTED_MESSAGE_ID,), False),
        (0x00, (pdus.TLV_RECEIPTED_MESSAGE_ID, pdus.TLV_MESSAGE_STATE), True),
    ],
)
def test_receipts_are_recognised(esm_class: int, tags: tuple[int, ...], expected: bool) -> None:
    assert is_receipt(pdu("x", dict.fromkeys(tags, b"\2"), esm_class)) is expected


@pytest.mark.parametrize(
    ("state", "error", "expected"),
    [
        ("DELIVRD", "012", ("delivered", 0)),
        ("EXPIRED", "", ("undelivered", 30003)),
        ("UNDELIV", "", ("undelivered", 30005)),
        ("UNDELIV", "012", ("undelivered", 30006)),
        ("UNDELIV", "12", ("undelivered", 30006)),
        ("REJECTD", "1", ("undelivered", 30007)),
        ("DELETED", "", ("undelivered", 30008)),
        ("UNKNOWN", "", ("undelivered", 30008)),
        ("NEW", "", ("undelivered", 30008)),
        ("ENROUTE", "", None),
        ("ACCEPTD", "", None),
    ],
)
def test_states_have_their_status_and_code(
    state: str, error: str, expected: tuple[str, int] | None
) -> None:
    report = make_report(SmscReceipt("00AB", state, error), "text", {"0012": 30006})
    found = None if report is None else (report.status, report.error_code)
    assert found == expected
    assert report is None or report.provider_id == "ab"
