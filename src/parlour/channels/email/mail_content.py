"""The content of a mail in SMTP: the bytes after DATA, up to the line with a single dot. No I/O.

The library keeps an object for each line: 20 MB of empty lines became a gigabyte, and delayed all
requests for seconds. Here the cost depends on the number of bytes only.
"""

from __future__ import annotations

from typing import Final

_LINE_END: Final = b"\r\n"
_END: Final = b"\r\n.\r\n"
_STUFFED: Final = b"\r\n."

TOO_LARGE: Final = "552 5.3.4 The mail is too large"
LINE_TOO_LONG: Final = "500 5.5.2 A line is too long"


class MailContent:
    """Collects a mail chunk by chunk; of one beyond the limit, only the last bytes are retained."""

    def __init__(self, bytes_max: int, line_bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._line_bytes_max = line_bytes_max
        # The end of the command DATA: the first line may be the dot.
        self._received = bytearray(_LINE_END)
        self._is_too_large = False

    def feed(self, chunk: bytes) -> bytes | None:
        """Add a chunk. Return the bytes after the end of the mail; None before its end."""
        start = max(0, len(self._received) - len(_END) + 1)
        self._received += chunk
        end = self._received.find(_END, start)
        rest = None
        if end >= 0:
            rest = bytes(self._received[end + len(_END) :])
            del self._received[end + len(_LINE_END) :]
        if len(self._received) - len(_LINE_END) > self._bytes_max:
            self._is_too_large = True
        if self._is_too_large:
            del self._received[: -len(_END)]
        return rest

    def refusal(self) -> str:
        """Return the response to a mail beyond a limit, once it has ended; else an empty text."""
        if self._is_too_large:
            return TOO_LARGE
        return LINE_TOO_LONG if self._has_long_line() else ""

    def content(self) -> bytes:
        """Return the content, without the dots that the peer added at starts of lines."""
        return bytes(self._received).replace(_STUFFED, _LINE_END)[len(_LINE_END) :]

    def _has_long_line(self) -> bool:
        position = 0
        while len(self._received) - position > self._line_bytes_max:
            line_end = self._received.rfind(b"\n", position, position + self._line_bytes_max)
            if line_end < 0:
                return True
            position = line_end + 1
        return False
