"""The request of a webhook: its parameters as a form or a query, signed, and its headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.egress.client import OutboundRequest
from parlour.protocol import signatures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.vocabulary.clock import Random

TOKEN_HEADER: Final = "I-Twilio-Idempotency-Token"  # noqa: S105 - the name of a header.
_FORM_TYPE: Final = "application/x-www-form-urlencoded; charset=utf-8"
_SHARED: Final = {"Accept": "*/*", "User-Agent": "TwilioProxy/1.1"}


def make_request(
    method: str,
    url: str,
    parameters: Mapping[str, str],
    *,
    auth_token: str,
    token: str,
    account_sid: str,
) -> OutboundRequest:
    """Return a signed request. ``token`` is the same for all attempts of a delivery.

    Parameters are sorted by name. Raises EgressRefused for a URL that cannot be requested.
    """
    pairs = sorted(parameters.items())
    headers = {TOKEN_HEADER: token, **_SHARED}
    if method == "GET":
        prepared, body = signatures.prepare_url(url, pairs), b""
        signature = signatures.sign(auth_token, prepared.signed_url)
    else:
        prepared, body = signatures.prepare_url(url), signatures.write_form(pairs).encode()
        signature = signatures.sign(auth_token, prepared.signed_url, pairs)
        headers["Content-Type"] = _FORM_TYPE
    headers[signatures.HEADER] = signature
    return OutboundRequest(
        method=method,
        url=prepared,
        headers=headers,
        body=body,
        account_sid=account_sid,
    )


def new_token(random: Random) -> str:
    """Return a random UUID (version 4) in lower case."""
    # By the injected source of randomness, so that tests are reproducible; uuid4() is not.
    raw = bytearray(random.token(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
