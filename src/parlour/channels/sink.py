"""The sink of one carrier: its inbound messages and its reports, under its name.

Identifiers of a provider are unique per carrier, so each carrier has its own sink.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from parlour.channels.carrier import (
        DeliveryReport,
        InboundKey,
        InboundMessage,
        UnacknowledgedInbound,
    )
    from parlour.channels.inbound_acknowledgements import InboundAcknowledgements


class InboundAcceptor(Protocol):
    """The inbox, as a sink sees it (`inbound.py`)."""

    async def accept(self, carrier_name: str, message: InboundMessage) -> InboundKey:
        """Store a message; return its key after the commit. Raises InboundRefused."""
        ...


class ReportRecorder(Protocol):
    """The recorder of delivery reports, as a sink sees it (`reports.py`)."""

    async def report(self, carrier_name: str, report: DeliveryReport) -> None:
        """Record a report; return after the commit."""
        ...


class ServerSink:
    """Stores the messages and reports of one carrier. Implements `CarrierSink`."""

    def __init__(
        self,
        carrier_name: str,
        inbound: InboundAcceptor,
        reports: ReportRecorder,
        acknowledgements: InboundAcknowledgements,
    ) -> None:
        self._name = carrier_name
        self._inbound = inbound
        self._reports = reports
        self._acknowledgements = acknowledgements

    async def inbound(self, message: InboundMessage) -> InboundKey:
        """Store an inbound message; a redelivery changes nothing. Raises InboundRefused."""
        if message.is_acknowledgement_recorded:
            self._acknowledgements.require_room()
        return await self._inbound.accept(self._name, message)

    def acknowledged(self, key: InboundKey) -> None:
        """Record soon that the network has the acknowledgement of a message."""
        self._acknowledgements.record(key)

    async def unacknowledged(self) -> list[UnacknowledgedInbound]:
        """Return the messages that the network may deliver again, oldest first."""
        return await self._acknowledgements.unacknowledged(self._name)

    async def acknowledgements_recorded(self) -> None:
        """Return once all acknowledgements are recorded, or after a timeout."""
        await self._acknowledgements.recorded()

    async def report(self, report: DeliveryReport) -> None:
        """Record a report. One of an unknown submission is logged and dropped."""
        await self._reports.report(self._name, report)
