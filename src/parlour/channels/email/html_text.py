"""The text of an HTML mail, for channels without HTML. No I/O.

The standard library's HTMLParser raises for some declarations, and needs a minute for a megabyte of
unclosed comments. Each step here moves forward in the text, and ends at its end.
"""

from __future__ import annotations

import html as html_entities
import re
from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_BREAKS: Final = frozenset("br div p tr li h1 h2 h3 h4 h5 h6 table ul ol hr pre section".split())
_HIDDEN: Final = frozenset("script style head title template".split())
_TAG_NAME: Final = re.compile(r"/?[a-z][a-z0-9]{0,30}", re.IGNORECASE)
_SPACES: Final = re.compile(r"[ \t\r\n\f\u00a0]+")
_BLANK_LINES: Final = re.compile(r"\n{3,}")


def to_text(html: str) -> str:
    """Return the visible text of HTML, at most of `limits.EMAIL_HTML_CHARS_READ_MAX` of it."""
    collector = _TextCollector()
    for tag, text in _tokens(html[: limits.EMAIL_HTML_CHARS_READ_MAX]):
        if tag:
            collector.add_tag(tag)
        else:
            collector.add_text(text)
    collector.end_line()
    return _BLANK_LINES.sub("\n\n", "\n".join(collector.lines)).strip()


def _tokens(html: str) -> Iterator[tuple[str, str]]:
    """Yield tags as ``p`` or ``/p`` with an empty text, and texts with an empty tag."""
    position = 0
    while position < len(html):
        start = html.find("<", position)
        if start < 0:
            yield "", html[position:]
            return
        yield "", html[position:start]
        name = _TAG_NAME.match(html, start + 1)
        if name is not None:
            end = html.find(">", start)
            yield name[0].lower(), ""
        elif html.startswith("<!--", start):
            end = html.find("-->", start + 4)
            end = end + 2 if end >= 0 else end
        elif html.startswith(("<!", "<?", "</"), start):
            end = html.find(">", start)
        else:
            yield "", "<"
            end = start
        if end < 0:
            # Not closed: the rest belongs to it.
            return
        position = end + 1
        if name is not None and name[0].lower() in ("script", "style"):
            closing = re.compile(f"</{name[0]}", re.IGNORECASE).search(html, position)
            position = len(html) if closing is None else closing.start()


class _TextCollector:
    """Collects lines; the lines of a quotation begin with ``> `` for each level."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._line: list[str] = []
        self._quotes = 0
        self._hidden = 0

    def add_tag(self, tag: str) -> None:
        """Begin or end a line, a quotation or a hidden element."""
        name = tag.removeprefix("/")
        step = -1 if tag.startswith("/") else 1
        if name in _HIDDEN:
            self._hidden = max(self._hidden + step, 0)
        elif name == "body":
            # Ends a head without an end tag.
            self._hidden = 0
        elif name == "blockquote":
            self.end_line()
            self._quotes = min(max(self._quotes + step, 0), limits.EMAIL_QUOTE_LEVELS_MAX)
        elif name in _BREAKS:
            self.end_line(is_break=tag == "br")

    def add_text(self, text: str) -> None:
        """Append text to the line, unless it is hidden."""
        if self._hidden:
            return
        try:
            self._line.append(html_entities.unescape(text))
        except ValueError:
            # A numeric reference with thousands of digits.
            self._line.append(text)

    def end_line(self, *, is_break: bool = False) -> None:
        """Append the line, if it is not empty or ends by a line break."""
        text = _SPACES.sub(" ", "".join(self._line)).strip()
        self._line.clear()
        if text or is_break:
            self.lines.append("> " * self._quotes + text)
