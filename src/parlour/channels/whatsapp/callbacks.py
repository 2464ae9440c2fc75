"""Webhooks of the Cloud API: registration, signature, statuses and inbound messages.

A webhook is signed with the app's secret over its raw body. Meta redelivers the whole webhook
until the response is 200: so one element of it that cannot be read is logged and left out, and
does not block the others.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from parlour.channels.carrier import (
    Callback,
    CallbackRefused,
    CallbackResponse,
    DeliveryReport,
)
from parlour.channels.whatsapp.error_codes import describe, map_code
from parlour.channels.whatsapp.inbound import (
    GraphContact,
    GraphMessage,
    SkippedMessage,
    is_message_id,
)
from parlour.channels.whatsapp.inbound import read_message as read_inbound_message
from parlour.protocol.forms import parse_query
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.channels.carrier import CallbackRequest, InboundMessage, ReportedStatus
    from parlour.channels.whatsapp.options import OwnNumbers, WhatsappOptions

log = structlog.get_logger()

WEBHOOK_PATH: Final = "webhook"
_SIGNATURE: Final = "x-hub-signature-256"
_OBJECT: Final = "whatsapp_business_account"
_STATUSES: Final[dict[str, ReportedStatus]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "undelivered",
}


class GraphMetadata(msgspec.Struct, frozen=True):
    """The own number that a change is about."""

    phone_number_id: str = ""


class GraphValue(msgspec.Struct, frozen=True):
    """What changed; the elements are decoded separately."""

    metadata: GraphMetadata = GraphMetadata()
    contacts: list[msgspec.Raw] = []
    messages: list[msgspec.Raw] = []
    statuses: list[msgspec.Raw] = []


class GraphChange(msgspec.Struct, frozen=True):
    """One change; its value is decoded if it is about messages."""

    field: str = ""
    value: msgspec.Raw = msgspec.Raw(b"{}")


class GraphEntry(msgspec.Struct, frozen=True):
    """The changes of one business account."""

    changes: list[GraphChange] = []


class GraphWebhook(msgspec.Struct, frozen=True):
    """A webhook as a whole."""

    object: str = ""
    entry: list[GraphEntry] = []


class GraphStatus(msgspec.Struct, frozen=True):
    """The status of one submission. ``biz_opaque_callback_data`` is the reference we sent."""

    id: str
    status: str
    errors: list[dict[str, Any]] | None = None
    biz_opaque_callback_data: str | None = None


_webhook: Final = msgspec.json.Decoder(GraphWebhook).decode
_value: Final = msgspec.json.Decoder(GraphValue).decode
_status: Final = msgspec.json.Decoder(GraphStatus).decode
_message: Final = msgspec.json.Decoder(GraphMessage).decode
_contact: Final = msgspec.json.Decoder(GraphContact).decode


def read_callback(
    request: CallbackRequest, options: WhatsappOptions, numbers: OwnNumbers
) -> Callback:
    """Verify and parse a webhook, or its registration. Raises CallbackRefused."""
    if request.path != WEBHOOK_PATH:
        raise CallbackRefused(404, "there is no such callback")
    if request.method == "GET":
        return _registered(request, options)
    if request.method != "POST":
        raise CallbackRefused(404, "a webhook is a POST")
    _check_signature(request, options)
    try:
        webhook = _webhook(request.body)
    except (ValueError, RecursionError) as error:
        raise CallbackRefused(400, "the webhook is malformed") from error
    inbound: list[InboundMessage] = []
    reports: list[DeliveryReport] = []
    for value in _values(webhook):
        receiver = numbers.addresses.get(value.metadata.phone_number_id)
        if receiver is None:
            log.warning(
                "whatsapp_webhook_dropped",
                reason="unknown phone number id",
                id=value.metadata.phone_number_id[:64],
            )
            continue
        inbound += _read_messages(value, receiver)
        reports += _read_statuses(value)
    return Callback(tuple(inbound), tuple(reports))


def _registered(request: CallbackRequest, options: WhatsappOptions) -> Callback:
    """Return the challenge of a registration, whose token has to be ours."""
    try:
        query = parse_query(request.query.encode())
    except (ApiError, UnicodeEncodeError) as error:
        raise CallbackRefused(400, "the query is malformed") from error
    given = {name: query.get(f"hub.{name}", [""])[-1] for name in ("mode", "verify_token")}
    token = given["verify_token"].encode()
    if given["mode"] != "subscribe" or not hmac.compare_digest(
        token, options.verify_token.encode()
    ):
        raise CallbackRefused(403, "the verify token is wrong")
    challenge = query.get("hub.challenge", [""])[-1]
    if not 0 < len(challenge) <= limits.WHATSAPP_CHALLENGE_CHARS_MAX:
        raise CallbackRefused(400, "the challenge is missing or too long")
    return Callback(response=CallbackResponse(200, "text/plain", challenge.encode()))


def _check_signature(request: CallbackRequest, options: WhatsappOptions) -> None:
    """Raise CallbackRefused unless the raw body is signed with the app's secret."""
    digest = hmac.new(options.app_secret.encode(), request.body, hashlib.sha256).hexdigest()
    given = request.headers.get(_SIGNATURE, "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), f"sha256={digest}".encode()):
        raise CallbackRefused(403, "the signature is wrong")


def _values(webhook: GraphWebhook) -> Iterator[GraphValue]:
    """Yield the values that are about messages; other webhooks are acknowledged."""
    if webhook.object != _OBJECT:
        return
    for entry in webhook.entry:
        for change in entry.changes:
            if change.field != "messages":
                continue
            try:
                yield _value(change.value)
            except (ValueError, RecursionError) as error:
                log.warning("whatsapp_change_malformed", reason=str(error))


def _read_statuses(value: GraphValue) -> Iterator[DeliveryReport]:
    for raw in value.statuses:
        try:
            status = _status(raw)
        except (ValueError, RecursionError) as error:
            log.warning("whatsapp_status_malformed", reason=str(error))
            continue
        report = _report(status)
        if report is not None:
            yield report


def _report(status: GraphStatus) -> DeliveryReport | None:
    reported = _STATUSES.get(status.status)
    if reported is None:
        return None
    if not is_message_id(status.id):
        log.warning("whatsapp_status_malformed", reason="the id is malformed")
        return None
    error = status.errors[0] if status.errors else {}
    is_failure = reported == "undelivered"
    # Our reference names the submission even before the response to it.
    reference = sids.parse(sids.WHATSAPP_MESSAGE, status.biz_opaque_callback_data or "")
    return DeliveryReport(
        reported,
        reference=reference,
        provider_id=None if reference else status.id,
        error_code=map_code(error.get("code")) if is_failure else 0,
        detail=describe(error) if error else "",
    )


def _read_messages(value: GraphValue, receiver: str) -> Iterator[InboundMessage]:
    contacts = []
    for raw in value.contacts:
        try:
            contacts.append(_contact(raw))
        except (ValueError, RecursionError) as error:
            log.warning("whatsapp_contact_malformed", reason=str(error))
    for raw in value.messages:
        try:
            yield read_inbound_message(_message(raw), contacts, receiver)
        except (ValueError, RecursionError) as error:
            log.warning("whatsapp_message_malformed", reason=str(error))
        except SkippedMessage as error:
            log.info("whatsapp_message_skipped", reason=str(error))
