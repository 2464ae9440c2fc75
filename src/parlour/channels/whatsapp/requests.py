"""Submissions to the Cloud API: the JSON of a message, and the response.

One submission is one message of WhatsApp. Its text is the caption of an image, a video or a
document; an audio file has none, so its text is not sent (C39).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from parlour.channels.carrier import (
    Accepted,
    OutboundMedium,
    Rejected,
)
from parlour.channels.whatsapp.error_codes import UNSUPPORTED, read_rejection
from parlour.channels.whatsapp.interactive import build_free_form
from parlour.channels.whatsapp.template_components import build_template
from parlour.protocol import addresses
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.carrier import OutboundMessage
    from parlour.channels.whatsapp.interactive import TypedContent
    from parlour.egress.client import OutboundResponse

TOO_LONG: Final = 21617
_IMAGES: Final = frozenset({"image/jpeg", "image/png"})


class MediumReference(msgspec.Struct, frozen=True):
    """Where WhatsApp gets a medium: the ``id`` of an uploaded one, or a ``link``."""

    medium: OutboundMedium
    member: Literal["id", "link"]
    value: str


def medium_to_send(message: OutboundMessage) -> OutboundMedium | None:
    """Return the one medium that a message of WhatsApp can have, None without any."""
    if message.template is not None and message.template.approved_name:
        return None
    return next((each for each in message.media if each.category == "media"), None)


def media_kind(content_type: str) -> str:
    """Return the message type for a medium: image, video, audio or document."""
    name = content_type.partition(";")[0].strip().lower()
    family = name.partition("/")[0]
    if name in _IMAGES:
        return "image"
    return family if family in {"audio", "video"} else "document"


def build_message(
    message: OutboundMessage, medium: MediumReference | None
) -> dict[str, Any] | Rejected:
    """Return the JSON of a message, or why it cannot be one.

    ``medium`` is the one of `medium_to_send`. The reference of the message is in each webhook about
    it, so that a report finds it before the response is known.
    """
    content = _content(message, medium)
    if isinstance(content, Rejected):
        return content
    type_, value = content
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_recipient(message.recipients[0]),
        "type": type_,
        type_: value,
        "biz_opaque_callback_data": message.reference,
    }


def _recipient(address: str) -> dict[str, str]:
    """Return the member that names the recipient: a number, or a user id without one (C40)."""
    name = address.removeprefix(f"{addresses.WHATSAPP}:")
    return {"to": name} if name.startswith("+") else {"recipient": name}


def _content(message: OutboundMessage, medium: MediumReference | None) -> TypedContent | Rejected:
    template = message.template
    if template is not None and template.approved_name:
        made = build_template(template)
        return made if isinstance(made, Rejected) else ("template", made)
    if template is not None:
        free_form = build_free_form(template)
        if free_form is not None:
            return free_form
    if medium is not None:
        return _media(medium, message.body)
    if not message.body:
        return Rejected(UNSUPPORTED, "the message has neither text nor media")
    return "text", {"body": message.body}


def _media(reference: MediumReference, body: str | None) -> TypedContent | Rejected:
    kind = media_kind(reference.medium.content_type)
    value: dict[str, Any] = {reference.member: reference.value}
    if kind == "document" and reference.medium.filename:
        value["filename"] = reference.medium.filename
    if body and kind != "audio":
        if len(body) > limits.WHATSAPP_CAPTION_CHARS_MAX:
            most = limits.WHATSAPP_CAPTION_CHARS_MAX
            return Rejected(TOO_LONG, f"the caption of a medium has {most} characters at most")
        value["caption"] = body
    return kind, value


def read_response(response: OutboundResponse, now_ms: int) -> Accepted | Rejected:
    """Return the outcome of a submission. Raises CarrierUnavailable if it is unknown."""
    decoded = decode_json(response)
    if response.status != 200:
        return read_rejection(response, decoded, now_ms)
    messages = decoded.get("messages") if isinstance(decoded, dict) else None
    first = messages[0] if isinstance(messages, list) and messages else None
    provider_id = first.get("id") if isinstance(first, dict) else None
    if not isinstance(provider_id, str) or not provider_id:
        # Accepted all the same: webhooks name the reference.
        return Accepted()
    return Accepted((provider_id,))


def decode_json(response: OutboundResponse) -> object:
    """Return the JSON of a response; None for anything else."""
    try:
        return msgspec.json.decode(response.body_start)
    except (ValueError, RecursionError):
        return None
