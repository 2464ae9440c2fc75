"""One entry of the error catalogue, and the parser of its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_ONLY = 0
"""The status of a code that is never an HTTP response, only an entry in a log or a receipt."""


class Entry(NamedTuple):
    """One error code: its HTTP status, its message template and when it is raised."""

    code: int
    status: int
    message: str
    when: str


def read_table(table: str) -> Iterator[Entry]:
    """Yield the entries of a table.

    An entry is one line `code status message`, followed by an indented description of its
    condition, on one or several lines.
    """
    head = ""
    description: list[str] = []
    for line in table.splitlines():
        if line.startswith(" "):
            description.append(line.strip())
        elif line:
            if head:
                yield _entry(head, description)
            head, description = line, []
    yield _entry(head, description)


def _entry(head: str, description: list[str]) -> Entry:
    code, status, message = head.split(" ", 2)
    return Entry(int(code), int(status), message, " ".join(description))
