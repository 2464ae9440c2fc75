"""Faults of sockets: of the connections of client SDKs.

==========  ==============================================================================
moment      the fault acts
==========  ==============================================================================
now         when it is created, on every open connection that matches
connect     on a connection whose ``init`` is valid: refused with a reason of refusals,
            else accepted and then closed, dropped or held
            ``Refuse``: on the upgrade of a connection whose client is not known yet
message     on the connection of a client that sends a request, before it is handled
==========  ==============================================================================
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from parlour.http.flow_control import reset_on_close
from parlour.realtime.disconnects import REFUSALS
from parlour.testmode.faults.fault import CONNECT, MESSAGE, SOCKET, Fault, FaultRule
from parlour.testmode.faults.held_frames import HeldTransport
from parlour.testmode.faults.parameters import REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parlour.protocol.twilsock_frames import Frame
    from parlour.realtime.connection import ClientConnection
    from parlour.realtime.disconnects import Disconnect
    from parlour.realtime.hub import UserKey
    from parlour.realtime.outbox import Outbox
    from parlour.testmode.faults.rules import FaultRules
    from parlour.vocabulary.clock import Clock


class _Hold(NamedTuple):
    """The hold of the frames to one client."""

    account_sid: str
    transport: HeldTransport
    timer: asyncio.TimerHandle


class SocketFault:
    """A fault that acts on one connection."""

    def __init__(self, fault: Fault, faults: SocketFaults) -> None:
        self._rule = fault.rule
        self._faults = faults

    @property
    def refusal(self) -> Disconnect | None:
        """The reason for which ``init`` is rejected."""
        reason = REASONS[self._rule.close] if self._rule.close else None
        return reason if reason in REFUSALS else None

    def act(self, connection: ClientConnection) -> None:
        """Close, drop or hold an open connection."""
        self._faults.act(self._rule, connection)


class SocketFaults:
    """Acts on connections, with the faults that are armed for them."""

    def __init__(
        self,
        rules: FaultRules,
        clock: Clock,
        connections: Callable[[], Iterable[ClientConnection]],
    ) -> None:
        """``connections`` returns the open connections of all accounts."""
        self._rules = rules
        self._clock = clock
        self._connections = connections
        self._holds: dict[Outbox, _Hold] = {}

    # --- Moments ----------------------------------------------------------------------------

    def act_now(self, fault: Fault) -> None:
        """Act on every open connection that matches a new fault, which is spent then."""
        for connection in list(self._connections()):
            key = connection.user_key
            matches = partial(_is_rule_of, fault.rule, key)
            if self._rules.take(SOCKET, key.account_sid, matches) is not None:
                self.act(fault.rule, connection)
        self._rules.finish(fault)

    def refuses_upgrade(self) -> bool:
        """Return whether a fault refuses the upgrade of a connection."""
        return self._rules.take(SOCKET, None, lambda rule: rule.refuse is not None) is not None

    def on_connect(self, key: UserKey) -> SocketFault | None:
        """Return the fault that acts on a connection whose ``init`` is valid."""
        fault = self._rules.take(
            SOCKET,
            key.account_sid,
            lambda rule: rule.when == CONNECT and rule.refuse is None and _matches(rule, key),
        )
        return None if fault is None else SocketFault(fault, self)

    def on_message(self, connection: ClientConnection, frame: Frame) -> bool:
        """Act on a connection that got a request; return whether it is closed now."""
        if frame.method != "message":
            return False
        key = connection.user_key
        fault = self._rules.take(
            SOCKET, key.account_sid, lambda rule: rule.when == MESSAGE and _matches(rule, key)
        )
        if fault is None:
            return False
        self.act(fault.rule, connection)
        return fault.rule.drop or fault.rule.close is not None

    # --- Effects ----------------------------------------------------------------------------

    def act(self, rule: FaultRule, connection: ClientConnection) -> None:
        """Close, drop or hold a connection, or let its token expire."""
        if rule.close is not None:
            connection.close(REASONS[rule.close])
        elif rule.drop:
            drop(connection)
        elif rule.hold_ms:
            self._hold(connection, rule.hold_ms)
        elif rule.expire_token:
            session = connection.session
            session.token = msgspec.structs.replace(session.token, expires_ms=self._clock.now_ms())
            connection.set_token_timer()

    def _hold(self, connection: ClientConnection, hold_ms: int) -> None:
        """Hold the frames to a client; a hold that lasts longer already stays."""
        outbox, loop = connection.socket.outbox, asyncio.get_running_loop()
        hold = self._holds.get(outbox)
        if hold is None:
            transport = HeldTransport(outbox.transport)
            outbox.transport = cast("asyncio.Transport", transport)
        else:
            transport = hold.transport
            if hold.timer.when() >= loop.time() + hold_ms / 1000:
                return
            hold.timer.cancel()
        timer = loop.call_later(hold_ms / 1000, self._end_hold, outbox)
        self._holds[outbox] = _Hold(connection.user_key.account_sid, transport, timer)

    def _end_hold(self, outbox: Outbox) -> None:
        hold = self._holds.pop(outbox)
        outbox.transport = hold.transport.transport
        hold.transport.end()

    def forget(self, account_sid: str | None) -> None:
        """Drop the frames that are held for an account; None: for all accounts."""
        for outbox, hold in list(self._holds.items()):
            if account_sid is None or hold.account_sid == account_sid:
                hold.timer.cancel()
                hold.transport.discard()
                self._end_hold(outbox)


def drop(connection: ClientConnection) -> None:
    """Reset the connection of a client, without a farewell."""
    reset_on_close(connection.socket.outbox.transport)
    connection.socket.abort()


def _is_rule_of(created: FaultRule, key: UserKey, rule: FaultRule) -> bool:
    return rule is created and _matches(rule, key)


def _matches(rule: FaultRule, key: UserKey) -> bool:
    return rule.identity is None or rule.identity == key.identity
