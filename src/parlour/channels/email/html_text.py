"""The text of an HTML mail, for channels without HTML. No I/O."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from parlour.vocabulary import limits

_BREAKS: Final = frozenset("br div p tr li h1 h2 h3 h4 h5 h6 table ul ol hr pre section".split())
_HIDDEN: Final = frozenset("script style head title template".split())
_SPACES: Final = re.compile(r"[ \t\r\n\f\u00a0]+")
_BLANK_LINES: Final = re.compile(r"\n{3,}")


class _TextCollector(HTMLParser):
    """Collects lines; the lines of a quotation begin with ``> `` for each level."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._line: list[str] = []
        self._quotes = 0
        self._hidden = 0

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, a quotation or a hidden part. HTMLParser calls it for each start tag."""
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "body":
            # Ends a head without an end tag.
            self._hidden = 0
        elif tag == "blockquote":
            self.end_line()
            self._quotes = min(self._quotes + 1, limits.EMAIL_QUOTE_LEVELS_MAX)
        elif tag in _BREAKS:
            self.end_line(is_break=tag == "br")

    def handle_endtag(self, tag: str) -> None:
        """Close the element of the start tag. HTMLParser calls it for each end tag."""
        if tag in _HIDDEN:
            self._hidden = max(self._hidden - 1, 0)
        elif tag == "blockquote":
            self.end_line()
            self._quotes = max(self._quotes - 1, 0)
        elif tag in _BREAKS and tag != "br":
            self.end_line()

    def handle_data(self, data: str) -> None:
        """Append text to the line. HTMLParser calls it for each run of text."""
        if not self._hidden:
            self._line.append(data)

    def end_line(self, *, is_break: bool = False) -> None:
        """Append the line, if it is not empty or ends by a line break."""
        text = _SPACES.sub(" ", "".join(self._line)).strip()
        self._line.clear()
        if text or is_break:
            self.lines.append("> " * self._quotes + text)


def to_text(html: str) -> str:
    """Return the visible text of HTML, at most of `limits.EMAIL_HTML_CHARS_READ_MAX` of it."""
    collector = _TextCollector()
    collector.feed(html[: limits.EMAIL_HTML_CHARS_READ_MAX])
    collector.close()
    collector.end_line()
    return _BLANK_LINES.sub("\n\n", "\n".join(collector.lines)).strip()
