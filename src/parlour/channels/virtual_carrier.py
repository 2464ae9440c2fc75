"""The built-in carrier: it accepts and delivers every message, and sends none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.channels.carrier import (
    Accepted,
    CallbackRefused,
    CarrierUnavailable,
    DeliveryReport,
    LinkState,
)
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from parlour.channels.carrier import Callback, CallbackRequest, OutboundMessage
    from parlour.channels.reports import Reports


class VirtualCarrier:
    """Accepts every message and reports it as delivered."""

    concurrency = 64

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._reporting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Do nothing: there is no link."""

    async def stop(self) -> None:
        """Wait for the reports in progress."""
        await asyncio.gather(*self._reporting, return_exceptions=True)

    async def send(self, message: OutboundMessage) -> Accepted:
        """Accept a message; its report follows."""
        task = asyncio.create_task(self._deliver(message.reference))
        self._reporting.add(task)
        task.add_done_callback(self._reporting.discard)
        return Accepted()

    async def _deliver(self, reference: str) -> None:
        with failures_logged("virtual_report_failed"):
            await self._reports.report("virtual", DeliveryReport("delivered", reference=reference))

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Raise CallbackRefused: there are no callbacks."""
        raise CallbackRefused(404, f"no callback {request.path}")

    async def read_medium(self, location: str) -> bytes:
        """Raise CarrierUnavailable: there are no inbound media."""
        raise CarrierUnavailable(location)

    def links(self) -> tuple[LinkState, ...]:
        """Return no links."""
        return ()

    async def check(self) -> tuple[LinkState, ...]:
        """Return no links."""
        return ()
