"""The Range header."""

from __future__ import annotations

import pytest

from parlour.protocol.byte_ranges import ByteRange, RangeNotSatisfiable, parse_range

SIZE = 100


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=0-100", (0, 100)),
        ("bytes=99-", (99, 1)),
        ("bytes=-1", (99, 1)),
        ("bytes=-100", (0, 100)),
        ("bytes=-999", (0, 100)),
        ("Bytes=5-7", (5, 3)),
        ("bytes = 5 - 7 ", (5, 3)),
    ],
)
def test_one_range_is_a_part(text: str, part: tuple[int, int]) -> None:
    assert parse_range(text, SIZE) == part


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=7-5",
        "bytes=1-2,4-5",
        "bytes=one-two",
        "bytes=+1-2",
        "bytes=１-2",
        "items=1-2",
        "bytes=1-2x",
        f"bytes=0-{'9' * 16}",
    ],
)
def test_anything_else_is_the_whole(text: str | None) -> None:
    assert parse_range(text, SIZE) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [("bytes=100-", SIZE), ("bytes=100-200", SIZE), ("bytes=-0", SIZE), ("bytes=0-", 0)],
)
def test_a_range_after_the_end_is_rejected(text: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(text, size)


def test_a_partial_response_has_its_range() -> None:
    assert ByteRange(5, 3).content_range(SIZE) == "bytes 5-7/100"
