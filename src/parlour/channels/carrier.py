"""The interface of carriers: they take messages to phones, mailboxes and other networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from parlour.resources.receipts.statuses import StatusReport


class OutboundMessage(msgspec.Struct, frozen=True):
    """One message for one recipient.

    ``reference`` is the receipt's SID: the same after a crash, so that a carrier can detect a
    duplicate. ``sender`` is None where the channel needs none; ``media`` is a JSON array.
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
    """Sends messages to recipients outside the chat."""

    async def send(self, outbound: OutboundMessage) -> list[StatusReport]:
        """Send one message; return its reports so far, in order.

        The last report may arrive later, by callback. Raises if the carrier cannot be reached:
        then the same message is sent again.
        """
        ...
