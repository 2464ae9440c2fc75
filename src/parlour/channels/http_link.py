"""The HTTP API of a carrier: sends its requests, and keeps the state that they show.

There is no connection to watch, so the state of the link is the outcome of the last request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parlour.channels.carrier import CarrierUnavailable, LinkState, Rejected
from parlour.egress.client import EgressRefused
from parlour.egress.connection import EgressFailed
from parlour.protocol.retries import parse_retry_after
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.channels.carrier import Accepted, CarrierContext
    from parlour.egress.client import Egress, OutboundRequest, OutboundResponse

_FAILURES: Final = {
    "dns": "the host name cannot be resolved",
    "connect": "no connection",
    "tls": "the TLS handshake failed",
    "timeout": "timeout, no response",
    "protocol": "the response is not HTTP",
    "busy": "too many requests are in progress",
}
"""The kinds of `EgressFailed` in words."""

MISCONFIGURED: Final = frozenset({401, 403, 404, 405})
"""Statuses that reject the credentials or the URL: messages wait until the operator acts."""


class HttpLink:
    """The requests of one carrier to its API.

    ``state`` is down after a request without a response, after a status of 500 or above, and
    after `mark_down`, until another request succeeds.
    """

    def __init__(
        self, name: str, egress: Egress, may_send: Callable[[], bool] = lambda: True
    ) -> None:
        """``may_send``: as of `CarrierContext`."""
        self._egress = egress
        self._name = name
        self._may_send = may_send
        self.state = LinkState(name, is_up=True, detail="no request yet")

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        """Return the response to a request. Raises CarrierUnavailable."""
        try:
            response = await send_request(self._egress, request)
        except CarrierUnavailable as error:
            # A lost lease is no failure of the link.
            if request.may_send is None or request.may_send():
                self.mark_down(str(error))
            raise
        self.state = LinkState(
            self._name, is_up=response.status < 500, detail=f"status {response.status}"
        )
        return response

    async def submit(self, request: OutboundRequest) -> OutboundResponse:
        """Return the response to a submission, or the upload of its medium.

        Raises CarrierUnavailable.

        It is not written if the lease was lost while it waited for a slot or a connection.
        """
        return await self.send(replace(request, may_send=self._may_send))

    def mark_down(self, detail: str) -> None:
        """Set the state to down, with the reason."""
        self.state = LinkState(self._name, is_up=False, detail=detail)


class HttpCarrier:
    """The part of a carrier over HTTP that does not depend on its API."""

    def __init__(self, name: str, context: CarrierContext, *, concurrency: int) -> None:
        self.concurrency = concurrency
        self._context = context
        self._link = HttpLink(name, context.egress, context.may_send)

    async def start(self) -> None:
        """Do nothing: there is no connection to open."""

    async def stop(self) -> None:
        """Do nothing: the client of outbound requests owns the connections."""

    def links(self) -> tuple[LinkState, ...]:
        """Return the state that the last request showed."""
        return (self._link.state,)

    def _mark_link(self, outcome: Accepted | Rejected) -> Accepted | Rejected:
        """Return an outcome, after marking the link as down if it is a transient rejection."""
        if isinstance(outcome, Rejected) and outcome.retry_after_seconds is not None:
            self._link.mark_down(outcome.detail)
        return outcome


async def send_request(egress: Egress, request: OutboundRequest) -> OutboundResponse:
    """Return the response to a request. Raises CarrierUnavailable if there is none."""
    try:
        return await egress.send(request)
    except EgressFailed as error:
        reason = _FAILURES.get(error.kind, error.kind)
        detail = f" ({error.detail})" if error.detail else ""
        raise CarrierUnavailable(f"{error.code}: {reason}{detail}") from error
    except EgressRefused as error:
        raise CarrierUnavailable(str(error)) from error


def reject_for_now(code: int, detail: str, retry_after: str | None, now_ms: int) -> Rejected:
    """Return a transient rejection; ``retry_after`` is the header of the response, if any."""
    asked_ms = None if retry_after is None else parse_retry_after(retry_after, now_ms)
    seconds = limits.CARRIER_RETRY_SECONDS if asked_ms is None else asked_ms / 1000
    return Rejected(code, detail, min(seconds, limits.CARRIER_RETRY_SECONDS_MAX))


def shorten(detail: str) -> str:
    """Return a carrier's reason for the log, in one line of bounded length."""
    return " ".join(detail.split())[: limits.CARRIER_DETAIL_CHARS_MAX]
