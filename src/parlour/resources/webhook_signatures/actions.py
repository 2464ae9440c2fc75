"""The action of signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.protocol import signatures
from parlour.protocol.egress_policy import EgressRefused
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.server_parts import ServerParts
    from parlour.resources.webhook_signatures.parameters import CreateWebhookSignature


class WebhookSignature(msgspec.Struct, frozen=True):
    """The signature of a request, its URL as a receiver sees it, and the text that is signed."""

    url: str
    signature: str
    signed_text: str


async def create_webhook_signature(
    parts: ServerParts, call: Call[CreateWebhookSignature]
) -> WebhookSignature:
    """Return the signature that the account's auth token gives. Nothing is sent."""
    given = call.parameters.given()
    fields, body = given.get("form_fields"), given.get("body")
    if fields is not None and body is not None:
        raise ApiError(20001, "Parameters and Body exclude each other.")
    try:
        if body is None:
            url = signatures.prepare_url(given["url"]).signed_url
        else:
            url = signatures.prepare_json_url(given["url"], body.encode()).signed_url
        auth_token = await parts.webhooks.auth_token_of(call.scope.account_sid)
    except EgressRefused as refused:
        raise ApiError(20001, f"Invalid Url: {refused.reason}") from None
    pairs = tuple((fields or {}).items())
    return WebhookSignature(
        url, signatures.sign(auth_token, url, pairs), signatures.signed_text(url, pairs)
    )
