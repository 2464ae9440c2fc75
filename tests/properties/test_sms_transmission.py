"""An SMS is joined to the same text from segments that fit, in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.virtual.transmission import encode_segments, join_segments, transmit

OCTETS_MAX = 140
SEPTETS_MAX = 160
GSM7_TEXTS = st.text(alphabet="abc @£$€[]{}~^|\\ÄÖñà\n", max_size=200)
SHORT_TEXTS = GSM7_TEXTS | st.text(max_size=200) | st.text(alphabet="aП🙂€", max_size=200)
# Repeated and numbered, so that most have several different segments.
TEXTS = SHORT_TEXTS | st.builds(
    lambda text, count: "".join(f"{text}{number}" for number in range(count))[:1600],
    SHORT_TEXTS,
    st.integers(2, 200),
)


@given(TEXTS, st.integers(min_value=0, max_value=2**40), st.randoms(use_true_random=False))
def test_segments_in_any_order_join_to_the_text(text: str, reference: int, random: object) -> None:
    segments = encode_segments(text, reference)
    shuffled = list(segments)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert join_segments(shuffled) == text
    received = transmit(text, reference)
    assert (received.text, received.segments) == (text, len(segments))


@given(TEXTS)
def test_each_segment_fits_with_its_header(text: str) -> None:
    segments = encode_segments(text, 7)
    assert [each.header[-2:] for each in segments if each.header] == [
        bytes((len(segments), number))
        for number in range(1, len(segments) + 1)
        if len(segments) > 1
    ]
    for each in segments:
        # Packed, eight septets take seven octets; the header takes whole septets.
        if each.encoding == "GSM-7":
            assert len(each.octets) + -(-len(each.header) * 8 // 7) <= SEPTETS_MAX
        else:
            assert len(each.octets) + len(each.header) <= OCTETS_MAX
