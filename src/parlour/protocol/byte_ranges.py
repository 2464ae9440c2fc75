"""The Range header of a request: one range of bytes, or the whole (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_DIGITS_MAX: Final = 15
_ONE_RANGE: Final = re.compile(
    rf"bytes[ \t]*=[ \t]*([0-9]{{0,{_DIGITS_MAX}}})[ \t]*-[ \t]*([0-9]{{0,{_DIGITS_MAX}}})[ \t]*\Z",
    re.IGNORECASE,
)


class ByteRange(NamedTuple):
    """The offset and the length of a part."""

    first: int
    length: int

    def content_range(self, size: int) -> str:
        """Return the Content-Range of this part of a body of ``size`` bytes."""
        return f"bytes {self.first}-{self.first + self.length - 1}/{size}"


class RangeNotSatisfiable(Exception):  # noqa: N818 - the condition of status 416.
    """The range starts after the end."""


def parse_range(text: str | None, size: int) -> ByteRange | None:
    """Return the requested part; None: the whole. Raises RangeNotSatisfiable.

    Several ranges, other units and malformed ranges are ignored, as RFC 9110 permits.
    """
    found = None if text is None else _ONE_RANGE.match(text)
    if found is None:
        return None
    first, last = found.groups()
    if not first:
        if not last:
            return None
        count = min(int(last), size)
        if count == 0:
            raise RangeNotSatisfiable
        return ByteRange(size - count, count)
    begin, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < begin:
        return None
    if begin >= size:
        raise RangeNotSatisfiable
    return ByteRange(begin, end - begin + 1)
