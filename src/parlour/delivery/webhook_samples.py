"""Samples of webhooks: one signed request through the egress client, of which nothing is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from parlour.delivery.webhook_request import make_request, new_token
from parlour.egress.client import EgressFailed, EgressRefused
from parlour.operations.server_parts import SampleResult
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from parlour.delivery.attempts import Send
    from parlour.vocabulary.clock import Clock, Random


class WebhookSamples:
    """Sends samples, and knows the tokens that webhooks are signed with."""

    def __init__(
        self,
        send: Send,
        auth_token_of: Callable[[str], Awaitable[str]],
        clock: Clock,
        random: Random,
    ) -> None:
        self._send = send
        self._auth_token_of = auth_token_of
        self._clock = clock
        self._random = random

    async def auth_token_of(self, account_sid: str) -> str:
        """Return the auth token of an account. Raises EgressRefused if it has none."""
        return await self._auth_token_of(account_sid)

    async def send_sample(
        self, account_sid: str, method: str, url: str, parameters: Mapping[str, str]
    ) -> SampleResult:
        """Send a sample; return the result, a failure included."""
        started_ms = self._clock.monotonic_ms()
        try:
            request = make_request(
                method,
                url,
                parameters,
                auth_token=await self._auth_token_of(account_sid),
                token=new_token(self._random),
                account_sid=account_sid,
            )
            response = await self._send(replace(request, is_caller_waiting=True))
        except EgressFailed as failed:
            error = f"{failed.kind}: {failed.detail}" if failed.detail else failed.kind
            return self._failed(error, failed.code, started_ms)
        except EgressRefused as refused:
            return self._failed(refused.reason, refused.code, started_ms)
        shown = response.body_start[: limits.SAMPLE_ANSWER_BYTES_MAX]
        return SampleResult(
            status=response.status,
            body_start=shown.decode("utf-8", "replace"),
            elapsed_ms=response.elapsed_ms,
        )

    def _failed(self, error: str, code: int, started_ms: float) -> SampleResult:
        elapsed_ms = round(self._clock.monotonic_ms() - started_ms)
        return SampleResult(elapsed_ms=elapsed_ms, error=error, error_code=code)
