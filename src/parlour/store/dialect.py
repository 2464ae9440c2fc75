"""The few words in which the two engines differ. Everything else is one SQL text for both."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

SQLITE: Final = {"identity": "INTEGER PRIMARY KEY AUTOINCREMENT"}

_PARAMETER = re.compile(r"\$(\d+)")


@cache
def for_sqlite(sql: str) -> str:
    """The statement with SQLite's numbered parameters; translated once for each text.

    Bounded by the number of statements in the program: none is built at run time.
    """
    return _PARAMETER.sub(r"?\1", sql)


def in_dialect(text: str, words: dict[str, str]) -> str:
    """A migration with the words of one engine in place of its braces."""
    for word, replacement in words.items():
        text = text.replace("{" + word + "}", replacement)
    return text
