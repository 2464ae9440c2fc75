"""The state machine of delivery receipts.

Late and repeated reports are ignored; one that overtakes another counts for both. ``undelivered``
means that a carrier accepted the message but did not deliver it, and may be corrected by
``delivered``; ``failed`` means that no carrier accepted it, and is final.
"""

from __future__ import annotations

from typing import Final

import msgspec

SENT: Final = "sent"
DELIVERED: Final = "delivered"
READ: Final = "read"
UNDELIVERED: Final = "undelivered"
FAILED: Final = "failed"

# The legal transitions: the reports that change a status. None is the status before the first one.
_MAY_FOLLOW: Final[dict[str | None, frozenset[str]]] = {
    None: frozenset({SENT, DELIVERED, READ, UNDELIVERED, FAILED}),
    SENT: frozenset({DELIVERED, READ, UNDELIVERED}),
    DELIVERED: frozenset({READ}),
    READ: frozenset(),
    UNDELIVERED: frozenset({DELIVERED, READ}),
    FAILED: frozenset(),
}
# The counters that include a receipt: a status implies those that it passed, reported or not.
_COUNTS_AS: Final[dict[str | None, frozenset[str]]] = {
    None: frozenset(),
    SENT: frozenset({SENT}),
    DELIVERED: frozenset({SENT, DELIVERED}),
    READ: frozenset({SENT, DELIVERED, READ}),
    UNDELIVERED: frozenset({SENT, UNDELIVERED}),
    FAILED: frozenset({FAILED}),
}


class StatusReport(msgspec.Struct, frozen=True):
    """The status of one message for one recipient, as a carrier reports it.

    ``error_code`` is 0 without an error; ``channel_message_sid`` is the carrier's identifier of
    the message, assigned when it accepted it.
    """

    status: str
    error_code: int = 0
    channel_message_sid: str | None = None


def may_follow(status: str | None, reported: str) -> bool:
    """Return whether a reported status is a legal transition from this status."""
    return reported in _MAY_FOLLOW[status]


def count_change(status: str | None, reported: str, counted: str) -> int:
    """Return the change (-1, 0 or 1) of the number of receipts that have reached a status."""
    return (counted in _COUNTS_AS[reported]) - (counted in _COUNTS_AS[status])
