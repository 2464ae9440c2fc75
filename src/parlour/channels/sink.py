"""The sink of one carrier: its inbound messages and its reports, under its name.

Identifiers of a provider are unique per carrier, so each carrier has its own sink.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from parlour.channels.carrier import DeliveryReport, InboundMessage


class InboundAcceptor(Protocol):
    """The inbox, as a sink sees it (`inbound.py`)."""

    async def accept(self, carrier_name: str, message: InboundMessage) -> object:
        """Store a message; return after the commit. Raises InboundRefused."""
        ...


class ReportRecorder(Protocol):
    """The recorder of delivery reports, as a sink sees it (`reports.py`)."""

    async def report(self, carrier_name: str, report: DeliveryReport) -> None:
        """Record a report; return after the commit."""
        ...


class ServerSink:
    """Stores the messages and reports of one carrier. Implements `CarrierSink`."""

    def __init__(
        self, carrier_name: str, inbound: InboundAcceptor, reports: ReportRecorder
    ) -> None:
        self._name = carrier_name
        self._inbound = inbound
        self._reports = reports

    async def inbound(self, message: InboundMessage) -> None:
        """Store an inbound message; a redelivery changes nothing. Raises InboundRefused."""
        await self._inbound.accept(self._name, message)

    async def report(self, report: DeliveryReport) -> None:
        """Record a report. One of an unknown submission is logged and dropped."""
        await self._reports.report(self._name, report)
