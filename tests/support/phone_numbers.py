"""Phone numbers for tests."""

from __future__ import annotations

import itertools

# The office code of a number starts with 2 or more; only such numbers may be in a group.
_last = itertools.count(2_000_001)

PROXY = "+15017122661"


def phone_number() -> str:
    """Return a North American number that no test of this process has used yet."""
    return f"+1555{next(_last)}"
