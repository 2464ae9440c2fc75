"""Samples of webhooks: signed requests, whose results and failures are returned."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from twilio.request_validator import RequestValidator

from parlour.delivery.webhook_samples import WebhookSamples
from parlour.egress.client import EgressFailed, EgressRefused, OutboundResponse
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock, SystemRandom

if TYPE_CHECKING:
    from parlour.egress.client import OutboundRequest
    from parlour.operations.server_parts import SampleResult

URL = "https://user:pw@example.com/hook?a=b"
FORM = {"EventType": "onMessageAdded", "Body": "Grüße"}


class SampleReceiver:
    """Records the request, and responds or fails."""

    def __init__(self, response: OutboundResponse | Exception) -> None:
        self.response = response
        self.requests: list[OutboundRequest] = []

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        """Take a request."""
        self.requests.append(request)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response


async def token_of(account_sid: str) -> str:
    return f"token of {account_sid}"


def sample(receiver: SampleReceiver, method: str = "POST", url: str = URL) -> SampleResult:
    samples = WebhookSamples(receiver.send, token_of, SystemClock(), SystemRandom())
    assert asyncio.run(samples.auth_token_of("AC1")) == "token of AC1"
    return asyncio.run(samples.send_sample("AC1", method, url, FORM))


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_sample_is_signed_and_its_response_returned(method: str) -> None:
    body = b"x" * (limits.SAMPLE_ANSWER_BYTES_MAX + 1)
    receiver = SampleReceiver(OutboundResponse(418, (), body, elapsed_ms=7, is_truncated=False))
    result = sample(receiver, method)
    assert (result.status, result.elapsed_ms, result.error) == (418, 7, None)
    assert result.body_start == "x" * limits.SAMPLE_ANSWER_BYTES_MAX
    (request,) = receiver.requests
    assert (request.method, request.account_sid) == (method, "AC1")
    assert request.is_caller_waiting
    signature = request.headers["X-Twilio-Signature"]
    signed = FORM if method == "POST" else {}
    assert RequestValidator("token of AC1").validate(request.url.signed_url, signed, signature)


def test_a_failed_request_has_its_error_and_no_status() -> None:
    failed = sample(SampleReceiver(EgressFailed("timeout", 11235, "after 5 s")))
    assert (failed.status, failed.error) == (None, "timeout: after 5 s")
    assert (failed.error_code, failed.body_start) == (11235, "")
    assert sample(SampleReceiver(EgressFailed("timeout", 11235))).error == "timeout"


def test_a_refused_target_is_not_requested() -> None:
    receiver = SampleReceiver(EgressRefused("The address is private.", 11200))
    assert sample(receiver).error == "The address is private."
    nowhere = SampleReceiver(ValueError("never sent"))
    refused = sample(nowhere, url="ftp://example.com/")
    assert refused.error == "The URL is neither http nor https."
    assert nowhere.requests == []
