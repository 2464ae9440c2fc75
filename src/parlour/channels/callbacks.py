"""Callbacks: verified by their carrier, stored through its sink, acknowledged after the commit.

A carrier that gets no 2xx sends its callback again. So what a repetition cannot change is accepted:
a message to a number that this server does not have, or a report of an unknown submission. Both are
logged. A failure of the store becomes 503, and a redelivery stores the missing part, because the
sink recognises duplicates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from parlour.channels.carrier import CallbackRefused, CallbackRequest, InboundRefused
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.log_limit import LogLimit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.channels.carrier import CallbackResponse, Carrier, CarrierSink
    from parlour.vocabulary.clock import Clock

log = structlog.get_logger()

_CODES: Final = {400: 20001, 403: 20403, 404: 20404}


class Callbacks:
    """Receives the callbacks of all carriers, on any node."""

    def __init__(
        self, carriers: Mapping[str, Carrier], sinks: Mapping[str, CarrierSink], clock: Clock
    ) -> None:
        """``sinks`` has the sink of each carrier, by its name."""
        self._carriers = carriers
        self._sinks = sinks
        self._log_limit = LogLimit(
            clock, limits.CALLBACK_REFUSALS_LOGGED_MAX, limits.CALLBACK_REFUSAL_LOG_MS
        )

    def has_carrier(self, name: str) -> bool:
        """Return whether there is a carrier with this name."""
        return name in self._carriers

    async def receive(
        self,
        name: str,
        path: str,
        *,
        method: str,
        url: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> CallbackResponse:
        """Verify and store a callback; return the carrier's response after the commit.

        Raises ApiError 400, 403 and 404 if the carrier refuses it, Busy and Unavailable.
        """
        request = CallbackRequest(method, path, url, query, headers, body)
        try:
            callback = await self._carriers[name].read_callback(request)
        except CallbackRefused as refused:
            self._log_refused(name, refused)
            raise _api_error(refused, path) from None
        sink = self._sinks[name]
        for message in callback.inbound:
            try:
                await sink.inbound(message)
            except InboundRefused as refused:
                log.warning("callback_message_dropped", carrier=name, reason=str(refused))
        for report in callback.reports:
            await sink.report(report)
        return callback.response

    def _log_refused(self, name: str, refused: CallbackRefused) -> None:
        """Log a refused callback, within a limit: anyone can send one."""
        unlogged = self._log_limit.admit((name, refused.status))
        if unlogged is not None:
            bound = log.bind(unlogged=unlogged) if unlogged else log
            bound.warning(
                "callback_refused", carrier=name, status=refused.status, reason=refused.reason
            )


def _api_error(refused: CallbackRefused, path: str) -> ApiError:
    """Return the response for a callback that its carrier refused."""
    if refused.status == 404:
        return ApiError.not_found(path)
    # The reason of a wrong signature is for the log only: it would help to forge one.
    message = refused.reason if refused.status == 400 else None
    return ApiError(_CODES[refused.status], message)
