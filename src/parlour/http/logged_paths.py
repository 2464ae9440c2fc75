"""Paths in the request log: the template of a known path, redacted parts of any other.

What a client sends may be a secret, personal data, or control characters for a terminal. So no
value is in the log: a known path is its template, ``/v1/Users/{Sid}``, and of an unknown one each
part that is not a plain word is shown as ``*``. An unknown path below a known one begins with the
template.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

# A word, or a version; SIDs, identities, addresses and tokens have digits, signs or are longer.
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}(\.[a-z]{1,4})?|v\d|2010-04-01")


def logged_path(path: str, template_of: Callable[[str], str | None]) -> str:
    """Return the redacted path for the log; ``template_of`` returns a known path's template."""
    whole = template_of(path)
    if whole is not None:
        return whole
    parts = path.split("/", limits.LOGGED_PATH_PARTS_MAX)
    for count in range(len(parts) - 1, 1, -1):
        known = template_of("/".join(parts[:count]))
        if known is not None:
            return "/".join([known, *map(_part, parts[count:])])
    return "/".join(map(_part, parts))


def _part(text: str) -> str:
    return text if text == "" or _WORD.fullmatch(text) else "*"
