"""Work in progress that clients may see the effects of: what a settlement waits for."""

from __future__ import annotations

from typing import NamedTuple


class OpenWork(NamedTuple):
    """One thing in progress. ``since_ms``: its start on the monotonic clock, if it is known.

    ``account_sid`` is empty if it may concern any account.
    """

    what: str
    account_sid: str
    since_ms: float | None = None
