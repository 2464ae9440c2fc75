"""The plain incoming-message webhook of a number: the request for one message.

It has the parameters that programs for messages without conversations expect, and the signature of
all webhooks. The response is ignored: a program replies with a request of the API. A request that
gets no response, or 429 or 5xx, is repeated with the same token and ``MessageSid``.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

from parlour.egress.client import EgressFailed, EgressRefused, OutboundRequest
from parlour.protocol import addresses, signatures
from parlour.protocol.sms_segments import split_text
from parlour.resources.inbound import messages as inbound_messages
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from parlour.egress.client import Egress
    from parlour.resources.carrier_numbers.store import CarrierNumber
    from parlour.resources.inbox.message import InboxMessage
    from parlour.resources.inbox.store import InboxEntry
    from parlour.resources.media.store import Media

_TOKEN_HEADER: Final = "I-Twilio-Idempotency-Token"  # noqa: S105 - the name of a header.
_FORM_TYPE: Final = "application/x-www-form-urlencoded; charset=utf-8"
_API_VERSION: Final = "2010-04-01"
_TOO_MANY: Final = 429


class IncomingWebhookFailed(Exception):  # noqa: N818 - named after the condition.
    """The request failed; ``is_transient``: it may be repeated."""

    def __init__(self, reason: str, *, is_transient: bool) -> None:
        super().__init__(reason)
        self.is_transient: Final = is_transient


class IncomingWebhook:
    """Sends the requests of plain incoming-message webhooks."""

    def __init__(
        self,
        egress: Egress,
        *,
        auth_token_of: Callable[[str], Awaitable[str]],
        media_url_of: Callable[[Media], str],
    ) -> None:
        """``auth_token_of`` returns the token to sign with, ``media_url_of`` a temporary URL."""
        self._egress = egress
        self._auth_token_of = auth_token_of
        self._media_url_of = media_url_of

    async def send(
        self,
        number: CarrierNumber,
        entry: InboxEntry,
        message: InboxMessage,
        media: Sequence[Media],
    ) -> None:
        """Send the request for a message. Raises IncomingWebhookFailed."""
        urls = [(each.content_type, self._media_url_of(each)) for each in media]
        pairs = sorted(_parameters(number, entry, message, urls).items())
        token = await self._auth_token_of(entry.account_sid)
        try:
            request = _request(number, pairs, token, entry)
            async with asyncio.timeout(limits.INCOMING_WEBHOOK_SECONDS_MAX):
                response = await self._egress.send(request)
        except TimeoutError:
            raise IncomingWebhookFailed("timeout", is_transient=True) from None
        except EgressRefused as error:
            raise IncomingWebhookFailed(error.reason, is_transient=False) from None
        except EgressFailed as error:
            reason = f"{error.kind} {error.detail}".strip()
            raise IncomingWebhookFailed(reason, is_transient=True) from None
        status = response.status
        if not 200 <= status < 300:
            is_transient = status >= 500 or status == _TOO_MANY
            raise IncomingWebhookFailed(f"HTTP {status}", is_transient=is_transient)


def _request(
    number: CarrierNumber, pairs: list[tuple[str, str]], auth_token: str, entry: InboxEntry
) -> OutboundRequest:
    """Return the signed request. Raises EgressRefused for a URL that cannot be requested."""
    assert number.incoming_url is not None
    headers = {_TOKEN_HEADER: _token(entry), "Accept": "*/*", "User-Agent": "TwilioProxy/1.1"}
    if number.incoming_method == "GET":
        prepared, body = signatures.prepare_url(number.incoming_url, pairs), b""
        headers[signatures.HEADER] = signatures.sign(auth_token, prepared.signed_url)
    else:
        prepared = signatures.prepare_url(number.incoming_url)
        body = signatures.write_form(pairs).encode()
        headers[signatures.HEADER] = signatures.sign(auth_token, prepared.signed_url, pairs)
        headers["Content-Type"] = _FORM_TYPE
    return OutboundRequest(
        method=number.incoming_method,
        url=prepared,
        headers=headers,
        body=body,
        timeout_ms=limits.INCOMING_WEBHOOK_SECONDS_MAX * 1000,
        account_sid=entry.account_sid,
    )


def _token(entry: InboxEntry) -> str:
    """Return the token of a message in the form of a UUID: the same after a restart."""
    raw = bytearray(hashlib.sha256(entry.channel_message_sid.encode()).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _parameters(
    number: CarrierNumber,
    entry: InboxEntry,
    message: InboxMessage,
    media_urls: list[tuple[str, str]],
) -> dict[str, str]:
    """Return the parameters of the request; optional ones only with a value."""
    sid, body = entry.channel_message_sid, message.body or ""
    is_sms = message.channel == addresses.SMS
    shown = {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": entry.account_sid,
        "MessagingServiceSid": number.messaging_service_sid or "",
        "From": message.sender,
        "To": message.receiver,
        "Body": body,
        "SmsStatus": "received",
        "NumSegments": str(len(split_text(body).segments) if is_sms and body else 1),
        "NumMedia": str(len(media_urls)),
        "ApiVersion": _API_VERSION,
        "ProfileName": message.profile_name or "",
    }
    if message.channel == addresses.WHATSAPP:
        shown["WaId"] = inbound_messages.wa_id(message)
    for position, (content_type, url) in enumerate(media_urls):
        shown[f"MediaContentType{position}"] = content_type
        shown[f"MediaUrl{position}"] = url
    for position, each in enumerate(sorted(message.group)):
        shown[f"OtherRecipients{position}"] = each
    return {name: value for name, value in shown.items() if value or name == "Body"}
