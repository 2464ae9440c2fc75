"""The statuses of a receipt: which may follow which, and what each counts as.

A status only moves up: sent, delivered, read. A report that comes late or twice says nothing
new; one that overtakes another counts for both. ``undelivered`` follows a hand-over, and carriers
take it back with ``delivered``; ``failed`` means there was no hand-over, and nothing follows.
"""

from __future__ import annotations

from typing import Final

import msgspec

SENT: Final = "sent"
DELIVERED: Final = "delivered"
READ: Final = "read"
UNDELIVERED: Final = "undelivered"
FAILED: Final = "failed"

_MAY_FOLLOW: Final[dict[str | None, frozenset[str]]] = {
    None: frozenset({SENT, DELIVERED, READ, UNDELIVERED, FAILED}),
    SENT: frozenset({DELIVERED, READ, UNDELIVERED}),
    DELIVERED: frozenset({READ}),
    READ: frozenset(),
    UNDELIVERED: frozenset({DELIVERED, READ}),
    FAILED: frozenset(),
}
_COUNTS_AS: Final[dict[str | None, frozenset[str]]] = {
    None: frozenset(),
    SENT: frozenset({SENT}),
    DELIVERED: frozenset({SENT, DELIVERED}),
    READ: frozenset({SENT, DELIVERED, READ}),
    UNDELIVERED: frozenset({SENT, UNDELIVERED}),
    FAILED: frozenset({FAILED}),
}


class StatusReport(msgspec.Struct, frozen=True):
    """What a carrier says about one message at one recipient.

    ``error_code`` is 0 without an error; ``channel_message_sid`` is the channel's own name of
    the message, given with the hand-over.
    """

    status: str
    error_code: int = 0
    channel_message_sid: str | None = None


def may_follow(status: str | None, reported: str) -> bool:
    """Return whether a reported status is a legal transition from this status."""
    return reported in _MAY_FOLLOW[status]


def count_change(status: str | None, reported: str, counted: str) -> int:
    """By how much (-1, 0 or 1) a move changes the number of receipts that reached a status."""
    return (counted in _COUNTS_AS[reported]) - (counted in _COUNTS_AS[status])
