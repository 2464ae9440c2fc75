"""What a carrier is: whoever takes a message to a phone, a mailbox or an account elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from parlour.resources.receipts.statuses import StatusReport


class OutboundMessage(msgspec.Struct, frozen=True):
    """One message for one recipient.

    ``reference`` is the receipt's sid: the same again after a crash, so that a carrier can tell
    a repetition. ``sender`` is None where the channel needs none; ``media`` is a JSON array.
    """

    reference: str
    account_sid: str
    type: str
    sender: str | None
    recipient: str
    body: str | None
    media: str | None
    is_in_group: bool


class Carrier(Protocol):
    """Takes messages out."""

    async def send(self, outbound: OutboundMessage) -> list[StatusReport]:
        """Hand one message over; what became of it so far, in order.

        The last report may come later by other ways. Raises if the carrier cannot be reached:
        then the same message is given again.
        """
        ...
