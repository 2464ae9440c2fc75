"""The built-in carrier: it accepts and delivers every message, and sends none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.protocol import addresses
from parlour.resources.receipts.statuses import DELIVERED, SENT, StatusReport
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Random


class SinkSubmission(msgspec.Struct, frozen=True):
    """One message for one recipient.

    ``reference`` is the receipt's SID. ``sender`` is None where the channel needs none; ``media``
    is a JSON array.
    """

    reference: str
    type: str
    sender: str | None
    recipient: str
    body: str | None
    media: str | None
    is_in_group: bool


class VirtualCarrier:
    """Accepts every message and reports it as delivered."""

    def __init__(self, random: Random) -> None:
        self._random = random

    async def send(self, outbound: SinkSubmission) -> list[StatusReport]:
        """Report the message as sent, under a new SID of its channel, and as delivered."""
        sid = self._random.sid(_prefix(outbound))
        return [StatusReport(SENT, channel_message_sid=sid), StatusReport(DELIVERED)]


def _prefix(outbound: SinkSubmission) -> str:
    """Return the SID prefix of a channel; group messages have the prefix of SMS."""
    if outbound.type == addresses.WHATSAPP:
        return sids.WHATSAPP_MESSAGE
    if outbound.type == addresses.SMS and outbound.media is not None and not outbound.is_in_group:
        return sids.MMS
    return sids.SMS
