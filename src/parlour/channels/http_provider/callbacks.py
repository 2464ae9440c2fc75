"""Callbacks of an HTTP provider: their signature, inbound messages, and status callbacks."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.channels.carrier import (
    Callback,
    CallbackRefused,
    CallbackResponse,
    DeliveryReport,
    InboundMedium,
    InboundMessage,
)
from parlour.channels.http_link import shorten
from parlour.channels.http_provider.requests import STATUS_PATH, read_code
from parlour.protocol import addresses
from parlour.protocol.forms import parse_form, parse_query
from parlour.protocol.signatures import is_signed
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.channels.carrier import CallbackRequest, ReportedStatus
    from parlour.channels.http_provider.options import CallbackKey, HttpProviderOptions
    from parlour.protocol.signatures import Algorithm

INBOUND_PATH: Final = "inbound"

_FORM: Final = "application/x-www-form-urlencoded"
_NO_REPLY: Final = CallbackResponse(200, "text/xml", b"<Response></Response>")
# The provider's statuses that change a receipt. The others come before `sent`, which the receipt
# has since the submission was accepted.
_STATUSES: Final[dict[str, ReportedStatus]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "undelivered",
    "failed": "failed",
}
_RECEIVED: Final = frozenset({"receiving", "received"})
_OCTETS: Final = "application/octet-stream"
# Parameters that are the metadata of a message, if the provider does not send them as JSON.
_CONTEXT: Final = (
    "ProfileName",
    "WaId",
    "ButtonText",
    "ButtonPayload",
    "ListTitle",
    "ListId",
    "Latitude",
    "Longitude",
    "Address",
    "Label",
    "OriginalRepliedMessageSid",
    "OriginalRepliedMessageSender",
)

Parameters = dict[str, str]


def read_callback(
    request: CallbackRequest, options: HttpProviderOptions, key: CallbackKey
) -> Callback:
    """Verify and parse a callback. Raises CallbackRefused."""
    path, _, reference = request.path.partition("/")
    if path not in {INBOUND_PATH, STATUS_PATH} or (path == INBOUND_PATH and reference):
        raise CallbackRefused(404, "there is no such callback")
    pairs = _read_pairs(request, key)
    if not _is_authentic(request, pairs, key):
        raise CallbackRefused(403, "the signature is wrong")
    parameters = dict(reversed(pairs))  # The first value of each name.
    if path == STATUS_PATH:
        report = _read_report(parameters, reference, options)
        return Callback(reports=() if report is None else (report,))
    return Callback(inbound=(_read_message(parameters),), response=_NO_REPLY)


# --- Authentication -----------------------------------------------------------------------


def _read_pairs(request: CallbackRequest, key: CallbackKey) -> list[tuple[str, str]]:
    """Return the parameters: of a posted form, or of the query of a GET request."""
    if request.method == "GET" and key.scheme == "body-sha256":
        # The signature of an empty body would be valid for any query.
        raise CallbackRefused(403, "the signature of a body does not authenticate a GET request")
    try:
        if request.method == "GET":
            fields = parse_query(request.query.encode("utf-8", "surrogateescape"))
        elif request.headers.get("content-type", _FORM).partition(";")[0].strip().lower() == _FORM:
            fields = parse_form(request.body)
        else:
            raise CallbackRefused(400, "the body is not a form")
    except ApiError as error:
        raise CallbackRefused(400, "the form is malformed") from error
    return [(name, value) for name, values in fields.items() for value in values]


def _is_authentic(request: CallbackRequest, pairs: list[tuple[str, str]], key: CallbackKey) -> bool:
    """Return whether the sender knows the secret; comparisons take constant time."""
    if key.scheme == "none":
        return True
    given = request.headers.get(key.header)
    if given is None:
        return False
    if key.scheme == "header":
        return hmac.compare_digest(given.encode(), key.secret.encode())
    if key.scheme == "body-sha256":
        digest = hmac.digest(key.secret.encode(), request.body, "sha256")
        accepted = (digest.hex().encode(), base64.b64encode(digest))
        sent = given.removeprefix("sha256=").encode()
        matches = [hmac.compare_digest(sent, each) for each in accepted]
        return any(matches)
    signed = () if request.method == "GET" else pairs
    algorithm: Algorithm = "sha256" if key.scheme == "twilio-sha256" else "sha1"
    return is_signed(key.secret, request.url, given, signed, algorithm)


# --- Status callbacks ---------------------------------------------------------------------


def _read_report(
    parameters: Parameters, reference: str, options: HttpProviderOptions
) -> DeliveryReport | None:
    """Return the report of a status callback; None if the receipt does not change."""
    provider_id = parameters.get("MessageSid") or parameters.get("SmsSid")
    reported = parameters.get("MessageStatus") or parameters.get("SmsStatus")
    if not reported or not (reference or provider_id):
        raise CallbackRefused(400, "MessageSid or MessageStatus is missing")
    status = _STATUSES.get(reported.lower())
    if status is None:
        return None
    is_error = status in {"undelivered", "failed"}
    return DeliveryReport(
        status=status,
        reference=reference or None,
        provider_id=None if reference else provider_id,
        recipient=parameters.get("To") if options.sends_groups else None,
        error_code=read_code(parameters.get("ErrorCode"), options) if is_error else 0,
        detail=shorten(f"{reported} {parameters.get('ChannelStatusMessage', '')}"),
    )


# --- Inbound messages ---------------------------------------------------------------------


def _read_message(parameters: Parameters) -> InboundMessage:
    provider_id = parameters.get("MessageSid") or parameters.get("SmsSid")
    if not provider_id:
        raise CallbackRefused(400, "MessageSid is missing")
    if parameters.get("MessageStatus", "received").lower() not in _RECEIVED:
        raise CallbackRefused(400, "a status callback is no inbound message")
    sender = _read_address(parameters, "From")
    receiver = _read_address(parameters, "To")
    if sender.type != receiver.type:
        raise CallbackRefused(400, "From and To are of different channels")
    return InboundMessage(
        provider_id=provider_id,
        channel=receiver.type,
        sender=sender.text,
        receiver=receiver.text,
        group=tuple(_others(parameters)),
        body=parameters.get("Body") or _describe_location(parameters),
        media=tuple(_media(parameters)),
        profile_name=parameters.get("ProfileName") or None,
        metadata=_read_metadata(parameters) if receiver.type != addresses.SMS else None,
    )


def _read_address(parameters: Parameters, name: str) -> addresses.ChannelAddress:
    text = parameters.get(name, "").strip()
    prefix, colon, rest = text.partition(":")
    address = addresses.parse_proxy_address(f"{prefix.lower()}:{rest}" if colon else text)
    if address is None:
        raise CallbackRefused(400, f"{name} is not an address")
    return address


def _others(parameters: Parameters) -> Iterator[str]:
    """Yield the further receivers of a group message: OtherRecipients0, OtherRecipients1, ..."""
    for index in range(len(parameters)):
        name = f"OtherRecipients{index}"
        if name not in parameters:
            return
        yield _read_address(parameters, name).text


def _media(parameters: Parameters) -> Iterator[InboundMedium]:
    count = parameters.get("NumMedia") or "0"
    if not count.isascii() or not count.isdigit() or len(count) > 3:
        raise CallbackRefused(400, "NumMedia is not a number")
    for index in range(int(count)):
        url = parameters.get(f"MediaUrl{index}")
        if not url:
            raise CallbackRefused(400, f"MediaUrl{index} is missing")
        content_type = parameters.get(f"MediaContentType{index}") or _OCTETS
        yield InboundMedium(content_type, None, None, location=url)


def _describe_location(parameters: Parameters) -> str | None:
    """Return a shared location as text; None for other messages without a body."""
    latitude, longitude = parameters.get("Latitude"), parameters.get("Longitude")
    if not latitude or not longitude:
        return None
    names = (parameters.get("Label"), parameters.get("Address"), f"({latitude}, {longitude})")
    return " ".join(name for name in names if name)


def _read_metadata(parameters: Parameters) -> dict[str, Any] | None:
    """Return the data of the channel metadata; None without any."""
    try:
        sent = msgspec.json.decode(parameters.get("ChannelMetadata", "null"))
    except (ValueError, RecursionError):
        sent = None
    if isinstance(sent, dict) and isinstance(sent.get("data"), dict):
        data: dict[str, Any] = sent["data"]
        return data
    context = {name: parameters[name] for name in _CONTEXT if parameters.get(name)}
    return {"context": context} if context else None
