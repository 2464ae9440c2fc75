"""One entry of the error catalogue, and the reader of the tables the entries stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_ONLY = 0
"""The status of a code that is never an HTTP answer, only an entry in a log or a receipt."""


class Entry(NamedTuple):
    """One error code: its HTTP status, its message template and when it is raised."""

    code: int
    status: int
    message: str
    when: str


def read_table(table: str) -> Iterator[Entry]:
    """Yield the entries of a table.

    An entry is one line `code status message`, and below it an indented sentence that
    says when it is raised; the sentence may go over several indented lines.
    """
    head = ""
    sentence: list[str] = []
    for line in table.splitlines():
        if line.startswith(" "):
            sentence.append(line.strip())
        elif line:
            if head:
                yield _entry(head, sentence)
            head, sentence = line, []
    yield _entry(head, sentence)


def _entry(head: str, sentence: list[str]) -> Entry:
    code, status, message = head.split(" ", 2)
    return Entry(int(code), int(status), message, " ".join(sentence))
