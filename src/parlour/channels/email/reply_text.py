"""The new text of a reply, without the mails that it quotes. No I/O.

mail-parser-reply knows the lines by which mail programs introduce a quotation ("On … wrote:"), in
many languages. Its expressions need quadratic time: a mail of 16 KiB keeps it busy for a minute. So
it gets only the few lines before a quotation, and single lines decide where one may begin.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from mailparser_reply import EmailReplyParser

from parlour.vocabulary import limits

_LANGUAGES: Final = "en de fr es it nl pl sv da cs ja ko zh".split()
_SEPARATOR: Final = re.compile(r"[-_*]{4,}[^-_*]{3,60}[-_*]{4,}\Z")
_HEADER_LINE: Final = re.compile(r"[*_ ]{0,3}[^\W\d_]{2,20}[*_ ]{0,3}\s?[:\uff1a]")
# The line before the quotation, and the one before it where the introduction is folded.
_INTRODUCTION_LINES: Final = 4
# From, Sent, To, Subject.
_HEADER_LINES_MIN: Final = 3


def new_text(text: str) -> str:
    """Return the text that the writer added; the whole text if nothing would be left."""
    lines = text.strip("\n").split("\n")
    place = 0
    tried = 0
    while place < len(lines) and tried < limits.EMAIL_QUOTATIONS_TRIED_MAX:
        found = _quotation_start(lines, place)
        if found is None:
            break
        tried += 1
        before = _before_quotation(lines, found)
        if before is not None:
            answer = "\n".join(before).strip() or _below(lines, found)
            return answer or text.strip()
        place = _quotation_end(lines, found)
    return _without_last_quotation(lines) or text.strip()


def _quotation_start(lines: list[str], place: int) -> int | None:
    """Return the next line at which a quotation may begin."""
    for index in range(place, len(lines)):
        line = lines[index]
        if line.startswith(">") or _SEPARATOR.match(line.strip()[:200]):
            return index
        if _HEADER_LINE.match(line) and _is_header_block(lines, index):
            return index
    return None


def _is_header_block(lines: list[str], start: int) -> bool:
    """Return whether lines look like the headers of a quoted mail: four, or three and a blank."""
    block = [line for line in lines[start : start + 8] if line.strip()][:4]
    matching = sum(1 for line in block if _HEADER_LINE.match(line))
    return matching >= _HEADER_LINES_MIN and any("@" in line for line in block)


def _before_quotation(lines: list[str], found: int) -> list[str] | None:
    """Return the lines before a quotation and its introduction; None if it has none."""
    if not lines[found].startswith(">"):
        return lines[:found]
    start = max(found - _INTRODUCTION_LINES, 0)
    window = [line[: limits.EMAIL_INTRODUCTION_LINE_CHARS_MAX] for line in lines[start:found]]
    # The parser returns lines without their indentation: the last lines that it left are counted.
    replies = _parser().read("\n".join([*window, lines[found][:80]])).replies
    if not any(each.headers for each in replies):
        return None
    kept = replies[0].content if not replies[0].headers else ""
    count = len([line for line in kept.split("\n") if line.strip()])
    return lines[:start] + _first_lines(lines[start:found], count)


def _first_lines(lines: list[str], count: int) -> list[str]:
    """Return lines up to the one with this number among those that are not blank."""
    kept: list[str] = []
    for line in lines:
        if count == 0:
            break
        kept.append(line)
        count -= bool(line.strip())
    return kept


def _below(lines: list[str], found: int) -> str:
    """Return the text below a quotation that begins a mail."""
    if not lines[found].startswith(">"):
        return ""
    return _without_last_quotation(lines[_quotation_end(lines, found) :])


def _quotation_end(lines: list[str], start: int) -> int:
    """Return the line after the quotation that begins at a line."""
    index = start + 1
    while index < len(lines) and (lines[index].startswith(">") or not lines[index].strip()):
        index += 1
    return index


def _without_last_quotation(lines: list[str]) -> str:
    """Return the text without quoted lines at its end."""
    end = len(lines)
    while end and (lines[end - 1].startswith(">") or not lines[end - 1].strip()):
        end -= 1
    return "\n".join(lines[:end]).strip()


@functools.cache
def _parser() -> EmailReplyParser:
    """Return the parser of introductions, which compiles its expressions once."""
    return EmailReplyParser(languages=list(_LANGUAGES))
