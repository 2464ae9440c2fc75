"""Encodings of SMS: a table of lengths, and properties of any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol.sms_segments import GSM7, UCS2, decode_gsm7, encode_gsm7, split_text

TEXTS = st.text(
    st.one_of(
        st.sampled_from("aZ0 @£é€[]{}|^~\\\f\n\rΔΩß"),
        st.sampled_from("`çПё中😀𝔸“\t\x1b"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=400,
)


@pytest.mark.channel("13", "C36")
@pytest.mark.parametrize(
    ("text", "encoding", "lengths"),
    [
        ("", GSM7, [0]),
        ("A" * 160, GSM7, [160]),
        ("A" * 161, GSM7, [153, 8]),
        ("A" * 306, GSM7, [153, 153]),
        ("A" * 307, GSM7, [153, 153, 1]),
        ("€" * 80, GSM7, [80]),
        ("€" * 81, GSM7, [76, 5]),
        ("a" * 152 + "€" + "b" * 8, GSM7, [152, 9]),
        ("“smart”", UCS2, [7]),
        ("П" * 70, UCS2, [70]),
        ("П" * 71, UCS2, [67, 4]),
        ("П" * 134, UCS2, [67, 67]),
        ("П" * 135, UCS2, [67, 67, 1]),
        ("😀" * 35, UCS2, [35]),
        ("😀" * 36, UCS2, [33, 3]),
        ("A" * 1600, GSM7, [153] * 10 + [70]),
        ("П" * 1600, UCS2, [67] * 23 + [59]),
    ],
)
def test_texts_of_the_reference_have_its_segments(
    text: str, encoding: str, lengths: list[int]
) -> None:
    split = split_text(text)
    assert (split.encoding, [len(each) for each in split.segments]) == (encoding, lengths)


@pytest.mark.channel("13")
@given(TEXTS)
def test_segments_join_to_the_text_and_fill_their_octets(text: str) -> None:
    split = split_text(text)
    assert "".join(split.segments) == text
    sizes = [_units(split.encoding, each) for each in split.segments]
    single, part = (160, 153) if split.encoding == GSM7 else (70, 67)
    if len(sizes) == 1:
        assert sizes[0] <= single
    else:
        assert sum(sizes) > single
        assert all(size <= part for size in sizes)
        # At most the second unit of a character is missing.
        assert all(size >= part - 1 for size in sizes[:-1])


@given(TEXTS)
def test_a_text_in_gsm7_is_decoded_from_its_septets(text: str) -> None:
    if split_text(text).encoding == UCS2:
        with pytest.raises(ValueError, match="GSM-7 has no character"):
            encode_gsm7(text)
    else:
        assert decode_gsm7(encode_gsm7(text)) == text
        assert max(encode_gsm7(text), default=0) < 0x80


@given(TEXTS)
def test_ucs2_on_request_keeps_surrogate_pairs_together(text: str) -> None:
    split = split_text(text, allows_gsm7=False)
    assert split.encoding == UCS2
    assert "".join(each.encode("utf-16-be").decode("utf-16-be") for each in split.segments) == text


@given(st.binary(max_size=200))
def test_any_octets_are_decoded(octets: bytes) -> None:
    assert len(decode_gsm7(octets)) <= len(octets)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x1b\x65", "€"),
        # The extension has no such code: its alphabet is used.
        (b"\x1bA", "A"),
        (b"\x1b", ""),
        (b"\x1b\x1bA", " A"),
        (b"\x00\x60\xff", "@¿\ufffd"),
    ],
)
def test_escapes_and_unknown_octets_are_decoded_by_the_standard(octets: bytes, text: str) -> None:
    assert decode_gsm7(octets) == text


def _units(encoding: str, text: str) -> int:
    return len(encode_gsm7(text)) if encoding == GSM7 else len(text.encode("utf-16-be")) // 2
