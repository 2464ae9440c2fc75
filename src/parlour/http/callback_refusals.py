"""Delays the 403 of callbacks with a wrong signature, by the pair of client address and carrier.

A pair has the states of the table in `operations/login_throttle.py`:

| state         | response to a wrong signature                       |
|---------------|-----------------------------------------------------|
| not throttled | 403 at once                                         |
| throttled     | 403 after 500 to 900 ms                             |
| flooded       | 403 at once, and the connection is closed           |

The signature is checked first, in every state: many carriers and peers may share the address of a
proxy, so a state must never delay or refuse a genuine callback. A connection has one request at a
time, so the delay bounds the signatures that a connection makes the server compute, and where no
slot for a delay is free, each further one costs the client a new connection.

While it is delayed, a refusal holds no slot of its carrier and no body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from parlour.http.messages import error_response
from parlour.operations.login_throttle import LoginThrottle, delay
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from parlour.http.client_addresses import ClientAddresses
    from parlour.http.messages import Request, Response
    from parlour.vocabulary.clock import Clock
    from parlour.vocabulary.errors import ApiError


class CallbackRefusals:
    """The wrong signatures of one process."""

    def __init__(self, addresses: ClientAddresses, clock: Clock, salt: bytes) -> None:
        """``salt`` randomizes the throttle's cells against deliberate collisions."""
        self._addresses = addresses
        self._clock = clock
        # Not the throttle of logins: wrong signatures must not take the slots of logins.
        self._throttle = LoginThrottle(salt, limits.CALLBACK_FAILURE_CELLS)
        self._refused = 0

    async def refuse(self, request: Request, carrier: str, error: ApiError) -> Response:
        """Count a wrong signature; return its response, after the delay of its pair."""
        peer = self._addresses.address_of(request)
        now_ms = self._clock.monotonic_ms()
        state = self._throttle.state(peer, carrier, now_ms)
        self._throttle.failed(peer, carrier, now_ms)
        self._refused += 1
        if state == "throttled":
            await delay(
                self._throttle, peer, carrier, self._clock, limits.CALLBACK_REFUSAL_DELAY_MS_MAX
            )
        return msgspec.structs.replace(error_response(error), closes=state == "flooded")

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of wrong signatures."""
        yield CounterMetricFamily(
            "parlour_carrier_callbacks_refused",
            "Callbacks of carriers with a wrong signature.",
            value=self._refused,
        )
        yield GaugeMetricFamily(
            "parlour_carrier_callbacks_held",
            "Callbacks with a wrong signature whose response is delayed.",
            value=self._throttle.held,
        )
