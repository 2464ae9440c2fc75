"""Faults of webhooks: what a receiver did, or seems to have done.

A delay is part of the receiver's time: one of the length of the timeout is a timeout. The other
effects need no time; ``Timeout`` fails at once, so that a test does not wait for seconds.

=========  ===========================  ====================================
effect     Phase=before                 Phase=after
=========  ===========================  ====================================
delay      then the request             the request, then the delay
status,    no request, the outcome is   the request, its response is replaced
timeout,   the fault's
drop
duplicate  the request several times    the request several times
=========  ===========================  ====================================
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import structlog

from parlour.egress.client import EgressFailed, EgressRefused, OutboundResponse
from parlour.egress.connection import CODE_CONNECT, CODE_TIMEOUT
from parlour.protocol import retries
from parlour.protocol.forms import parse_query
from parlour.testmode.faults.error_responses import HEADER
from parlour.testmode.faults.fault import BEFORE, WEBHOOK, Fault, FaultRule
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.egress.client import OutboundRequest
    from parlour.testmode.faults.delays import Delays
    from parlour.testmode.faults.rules import FaultRules

    Send = Callable[[OutboundRequest], Awaitable[OutboundResponse]]

log = structlog.get_logger()


class WebhookFaults:
    """Sends the requests of webhooks, with the faults that are armed for them."""

    def __init__(self, rules: FaultRules, delays: Delays) -> None:
        self._rules = rules
        self._delays = delays

    def sender(self, send: Send, kind: str) -> Send:
        """Return the sender of webhooks of a kind, around the egress client."""

        async def send_with_faults(request: OutboundRequest) -> OutboundResponse:
            if not self._rules.has_armed(WEBHOOK):
                return await send(request)
            fault = self._rules.take(
                WEBHOOK, request.account_sid, lambda rule: _matches(rule, request, kind)
            )
            return await (send(request) if fault is None else self._send(fault, request, send))

        return send_with_faults

    async def _send(self, fault: Fault, request: OutboundRequest, send: Send) -> OutboundResponse:
        if fault.rule.phase == BEFORE:
            await self._delay(fault, request)
            if _has_outcome(fault.rule):
                return _outcome(fault)
            return await self._send_all(fault, request, send)
        if not _has_outcome(fault.rule):
            response = await self._send_all(fault, request, send)
            await self._delay(fault, request)
            return response
        with contextlib.suppress(EgressFailed, EgressRefused):
            await self._send_all(fault, request, send)
        await self._delay(fault, request)
        return _outcome(fault)

    async def _delay(self, fault: Fault, request: OutboundRequest) -> None:
        """Delay a request. Raises EgressFailed: a timeout, or busy if a reset ended the delay."""
        delay_ms = fault.rule.delay_ms
        if not await self._delays.wait(request.account_sid, min(delay_ms, request.timeout_ms)):
            raise EgressFailed(retries.BUSY, CODE_CONNECT, "a reset ended the delay")
        if delay_ms >= request.timeout_ms:
            raise EgressFailed(retries.TIMEOUT, CODE_TIMEOUT, f"the fault {fault.label}")

    async def _send_all(
        self, fault: Fault, request: OutboundRequest, send: Send
    ) -> OutboundResponse:
        """Make the request, and repeat it for a duplicate; return the first response."""
        try:
            return await send(request)
        finally:
            for _ in range(fault.rule.duplicate):
                await _repeat(request, send)


async def _repeat(request: OutboundRequest, send: Send) -> None:
    try:
        await send(request)
    except (EgressFailed, EgressRefused) as error:
        log.info("duplicate_webhook_failed", account_sid=request.account_sid, error=str(error))


def _has_outcome(rule: FaultRule) -> bool:
    """Whether a fault replaces the response of the receiver."""
    return rule.status is not None or rule.timeout or rule.drop


def _outcome(fault: Fault) -> OutboundResponse:
    """Return the response of a fault. Raises EgressFailed for a timeout and a lost connection."""
    rule, detail = fault.rule, f"the fault {fault.label}"
    if rule.timeout:
        raise EgressFailed(retries.TIMEOUT, CODE_TIMEOUT, detail)
    if rule.drop:
        raise EgressFailed("connect", CODE_CONNECT, f"closed without an answer: {detail}")
    assert rule.status is not None
    return OutboundResponse(
        status=rule.status,
        headers=((HEADER.lower(), fault.label),),
        body_start=b"",
        elapsed_ms=rule.delay_ms,
        is_truncated=False,
    )


def _matches(rule: FaultRule, request: OutboundRequest, kind: str) -> bool:
    return (
        (rule.kind is None or rule.kind == kind)
        and (rule.url is None or request.url.signed_url.startswith(rule.url))
        and (rule.event_type is None or rule.event_type == _event_type_of(request))
    )


def _event_type_of(request: OutboundRequest) -> str | None:
    """Return the event of a request."""
    written = request.body or request.url.target.partition("?")[2].encode()
    try:
        fields = parse_query(written)
    except ApiError:
        return None
    names = fields.get("EventType")
    return names[-1] if names else None
