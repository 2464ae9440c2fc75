"""Submissions to an HTTP provider: the form of a message, and the meaning of its response."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.channels.carrier import Accepted, CarrierUnavailable, Rejected
from parlour.channels.http_link import MISCONFIGURED, reject_for_now, shorten
from parlour.protocol import addresses

if TYPE_CHECKING:
    from parlour.channels.carrier import OutboundMessage, OutboundTemplate
    from parlour.channels.http_provider.options import HttpProviderOptions
    from parlour.egress.client import OutboundResponse

STATUS_PATH: Final = "status"

_CODE_QUEUE_OVERFLOW: Final = 30001
_CODE_UNKNOWN: Final = 30008
_CODE_NO_ANSWER: Final = 30410
_CODE_UNREACHABLE: Final = 21612
_CODE_SENDER: Final = 21606
_CODE_BAD_MEDIA: Final = 63019
# The sender's queue at the provider is full: a transient rejection.
_QUEUE_OF_SENDER_IS_FULL: Final = 21611
_TOO_MANY_REQUESTS: Final = 429
_TIMED_OUT: Final = 408
_CODE_MAX: Final = 99_999
_NOT_SENT: Final = frozenset({"failed", "undelivered", "canceled"})


def build_form(
    message: OutboundMessage, options: HttpProviderOptions, callback_url: str
) -> list[tuple[str, str]] | Rejected:
    """Return the form that submits a message, or the reason why the provider cannot carry it."""
    if len(message.recipients) > 1 and not options.sends_groups:
        return Rejected(_CODE_UNREACHABLE, "the provider has no group messages")
    if message.sender is None and not options.messaging_service_sid:
        return Rejected(_CODE_SENDER, "the message has no sender")
    form = [("To", recipient) for recipient in message.recipients]
    if message.sender is not None:
        form.append(("From", message.sender))
    if options.messaging_service_sid:
        form.append(("MessagingServiceSid", options.messaging_service_sid))
    content_sid = _find_content_sid(message.template, message.channel, options)
    if message.template is not None and content_sid is not None:
        form += [
            ("ContentSid", content_sid),
            ("ContentVariables", json.dumps(message.template.variables, ensure_ascii=False)),
        ]
    else:
        if message.body is not None:
            form.append(("Body", message.body))
        media = [medium.url for medium in message.media if medium.category == "media"]
        if not all(media):
            return Rejected(_CODE_BAD_MEDIA, "media need the server's public URL")
        form += [("MediaUrl", url) for url in media]
    if options.status_callback and callback_url:
        form.append(("StatusCallback", _status_url(callback_url, message.reference, options)))
    return form


def _find_content_sid(
    template: OutboundTemplate | None, channel: str, options: HttpProviderOptions
) -> str | None:
    """Return the provider's SID of a template; None if its text is sent instead.

    Only SMS carries the text of a template that the provider does not know.
    """
    if template is None:
        return None
    for name in (template.content_sid, template.friendly_name):
        if name in options.content_sids:
            return options.content_sids[name]
    return None if channel == addresses.SMS else template.content_sid


def _status_url(callback_url: str, reference: str, options: HttpProviderOptions) -> str:
    # A signature of the body does not cover the reference, so reports name the provider's SID.
    if options.signature == "body-sha256":
        return f"{callback_url}/{STATUS_PATH}"
    return f"{callback_url}/{STATUS_PATH}/{reference}"


def read_response(
    response: OutboundResponse, options: HttpProviderOptions, now_ms: int
) -> Accepted | Rejected:
    """Return the outcome of a submission. Raises CarrierUnavailable if it is unknown."""
    fields = _read_object(response.body_start)
    detail = shorten(f"status {response.status}: {fields.get('message') or ''}")
    if 200 <= response.status <= 299:
        return _read_resource(fields, options)
    retry_after = response.header("retry-after")
    if response.status == _TOO_MANY_REQUESTS:
        return reject_for_now(_CODE_QUEUE_OVERFLOW, detail, retry_after, now_ms)
    if response.status >= 500 and retry_after is not None:
        return reject_for_now(_CODE_NO_ANSWER, detail, retry_after, now_ms)
    if response.status == _TIMED_OUT or not 400 <= response.status <= 499:
        raise CarrierUnavailable(detail)
    if fields.get("code") == _QUEUE_OF_SENDER_IS_FULL:
        return reject_for_now(_CODE_QUEUE_OVERFLOW, detail, retry_after, now_ms)
    if _is_about_credentials(response.status, fields.get("code")):
        return reject_for_now(_CODE_UNKNOWN, detail, retry_after, now_ms)
    return Rejected(read_code(fields.get("code"), options), detail)


def _is_about_credentials(status: int, code: object) -> bool:
    """Return whether a response rejects the credentials or the account, not one message.

    Codes from 20000 to 20999 are about the request, as the status is; others are about the message.
    """
    is_about_request = not isinstance(code, int) or 20_000 <= code <= 20_999
    return status in MISCONFIGURED and is_about_request


def read_code(code: object, options: HttpProviderOptions) -> int:
    """Return the error code of receipts for a provider's one; 30008 if it has none."""
    mapped = options.error_codes.get(str(code))
    if mapped is not None:
        return mapped
    try:
        number = int(str(code))
    except ValueError:
        return _CODE_UNKNOWN
    return number if 0 < number <= _CODE_MAX else _CODE_UNKNOWN


def _read_resource(fields: dict[str, Any], options: HttpProviderOptions) -> Accepted | Rejected:
    status = fields.get("status")
    if isinstance(status, str) and status in _NOT_SENT:
        detail = shorten(str(fields.get("error_message") or status))
        return Rejected(read_code(fields.get("error_code"), options), detail)
    sid = fields.get("sid")
    return Accepted((sid,) if isinstance(sid, str) and sid else ())


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}
