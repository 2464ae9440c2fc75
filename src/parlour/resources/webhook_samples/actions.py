"""The action of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.webhook_samples.examples import example_parameters

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.server_parts import SampleResult, ServerParts
    from parlour.resources.webhook_samples.parameters import CreateWebhookSample


class SentSample(msgspec.Struct, frozen=True):
    """A sample and its result."""

    event_name: str
    method: str
    url: str
    form_fields: dict[str, str]
    result: SampleResult


async def create_webhook_sample(parts: ServerParts, call: Call[CreateWebhookSample]) -> SentSample:
    """Send one signed request; return the response of the receiver."""
    given = call.parameters.given()
    event_name, method = given["event_type"], given.get("method", "POST")
    example = example_parameters(event_name, call.scope, parts.clock.now_ms())
    form_fields = dict(sorted((example | given.get("form_fields", {})).items()))
    result = await parts.webhooks.send_sample(
        call.scope.account_sid, method, given["url"], form_fields
    )
    return SentSample(event_name, method, given["url"], form_fields, result)
