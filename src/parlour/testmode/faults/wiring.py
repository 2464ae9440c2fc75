"""Composition of faults and emulation, and the hooks of the server that they use.

A hook of the server is set while a fault or an emulation needs it, and None otherwise. So a server
without any of them pays a comparison per request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from parlour.testmode.emulation.action_rates import EmulatedActionRates
from parlour.testmode.faults.carriers import CarrierFaults
from parlour.testmode.faults.delays import Delays
from parlour.testmode.faults.fault import CARRIER, REQUEST, SOCKET
from parlour.testmode.faults.requests import RequestFaults
from parlour.testmode.faults.rules import FaultRules
from parlour.testmode.faults.sockets import SocketFaults
from parlour.testmode.faults.webhooks import WebhookFaults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parlour.operations.open_work import OpenWork
    from parlour.realtime.connection import ClientConnection
    from parlour.testmode.emulation.emulations import Emulations
    from parlour.testmode.faults.fault import Fault
    from parlour.testmode.wiring import ServerHandles
    from parlour.vocabulary.clock import Clock, Random


class Faults:
    """The faults of a server."""

    def __init__(self, emulations: Emulations, clock: Clock, random: Random) -> None:
        self._emulations = emulations
        self._clock = clock
        self.rules = FaultRules(clock, random)
        self._delays = Delays()
        self._carriers = CarrierFaults(self.rules)
        self.webhooks = WebhookFaults(self.rules, self._delays)
        self._sockets: SocketFaults | None = None
        self._forget_rates: Callable[[str | None], None] = lambda _account_sid: None

    def attach(self, handles: ServerHandles) -> None:
        """Use the hooks of this server from now on."""
        connections = handles.realtime.connections
        around = RequestFaults(
            self.rules, self._emulations, self._delays, handles.server.release_admission
        )
        sockets = self._sockets = SocketFaults(
            self.rules, self._clock, lambda: _open_connections(handles)
        )
        of_server = handles.pipeline.action_rates
        rates = EmulatedActionRates(self._emulations, self._clock, of_server)
        self._forget_rates = rates.forget

        def set_hooks() -> None:
            has_requests = self.rules.has_armed(REQUEST) or self._emulations.has_any
            requests = around if has_requests else None
            handles.server.surround(None if requests is None else requests.run_request)
            connections.tunnel.around = None if requests is None else requests.run_command
            connections.faults = sockets if self.rules.has_armed(SOCKET) else None
            deliveries = handles.channels.phone_deliveries
            has_carriers = self.rules.has_armed(CARRIER)
            deliveries.changes_of = self._carriers.changes_of if has_carriers else None
            handles.pipeline.action_rates = rates if self._emulations.has_any else of_server

        self.rules.on_change = self._emulations.on_change = set_hooks
        set_hooks()

    def act_now(self, fault: Fault) -> None:
        """Let a new fault act on the connections that are open."""
        assert self._sockets is not None
        self._sockets.act_now(fault)

    def open_work(self) -> Iterator[OpenWork]:
        """Return the requests that are delayed before their operations."""
        return self._delays.open_work()

    def forget(self, account_sid: str | None) -> None:
        """Remove the faults of an account, and end what they delay; None: of all accounts."""
        self.rules.forget(account_sid)
        self._delays.forget(account_sid)
        self._forget_rates(account_sid)
        if self._sockets is not None:
            self._sockets.forget(account_sid)


def _open_connections(handles: ServerHandles) -> Iterator[ClientConnection]:
    hub = handles.realtime.hub
    for key in hub.users():
        for each in hub.connections_of(key):
            yield cast("ClientConnection", each)
