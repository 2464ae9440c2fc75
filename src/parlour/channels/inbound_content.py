"""Normalisation of inbound messages: addresses, texts, identifiers, within the limits of rows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from parlour.protocol import addresses, email_threading
from parlour.protocol.storable_text import storable
from parlour.resources.inbox.message import InboxEmail, InboxMedium, InboxMessage
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.channels.carrier import InboundEmail, InboundMessage
    from parlour.vocabulary.clock import Random

log = structlog.get_logger()

_PROVIDER_ID_CHARS_MAX: Final = 200
_DEPTH_MAX: Final = 16
_SIDS_OF_CHANNELS: Final = (sids.SMS, sids.MMS, sids.WHATSAPP_MESSAGE)


def normalise_address(text: str) -> str:
    """Return an address of a carrier in the form in which addresses are compared."""
    return addresses.normalise_address(storable(text).strip()[: limits.ADDRESS_CHARS_MAX])


def normalise(message: InboundMessage, media: tuple[InboxMedium, ...]) -> InboxMessage:
    """Return the content of the row; the bytes of its media are stored already."""
    channel = message.channel
    sender = normalise_address(message.sender)
    receiver = normalise_address(message.receiver)
    others = {normalise_address(each) for each in message.group} - {sender, receiver}
    return InboxMessage(
        channel=channel,
        sender=sender,
        receiver=receiver,
        group=tuple(sorted(others)),
        body=_bounded_body(message.body),
        media=media,
        profile_name=storable(message.profile_name or "")[: limits.FRIENDLY_NAME_CHARS_MAX] or None,
        metadata=_bounded_metadata(message.metadata),
        email=None if message.email is None else _email(message.email),
    )


def provider_key(provider_id: str) -> str:
    """Return the identifier of a message at its carrier; a long one is replaced by its hash."""
    text = storable(provider_id)
    if len(text) <= _PROVIDER_ID_CHARS_MAX:
        return text
    return hashlib.sha256(text.encode()).hexdigest()


def lane_of(message: InboxMessage) -> str:
    """Return the lane of a message: the same for all copies of a group message or mail."""
    if message.email is not None:
        return f"mail {message.sender}"
    if message.group:
        return "group " + hashlib.sha256(",".join(sorted(message.numbers)).encode()).hexdigest()
    return f"{message.sender} {message.receiver}"


def fold_key_of(message: InboxMessage) -> str | None:
    """Return what copies of one message have in common; None if there are no copies."""
    if message.email is not None and message.email.message_id is not None:
        parts = ["mail", message.sender, message.email.message_id]
    elif message.group:
        media = [each.digest or each.content_type for each in message.media]
        parts = ["group", lane_of(message), message.sender, message.body or "", *media]
    else:
        return None
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def channel_message_sid(message: InboxMessage, provider_id: str, random: Random) -> str:
    """Return the SID of a message in its channel: a virtual phone's own one, or a new one."""
    for prefix in _SIDS_OF_CHANNELS:
        if sids.is_sid(prefix, provider_id):
            return provider_id
    if message.channel == addresses.WHATSAPP:
        return random.sid(sids.WHATSAPP_MESSAGE)
    is_mms = message.channel == addresses.SMS and bool(message.media or message.group)
    return random.sid(sids.MMS if is_mms else sids.SMS)


def _email(mail: InboundEmail) -> InboxEmail:
    """Return the parts of a mail; its marks in the order in which they are tried."""
    marks = [mail.conversation_sid]
    named = (email_threading.parse_message_id(each) for each in reversed(mail.references))
    marks += [each.conversation_sid for each in named if each is not None]
    return InboxEmail(
        subject=storable(mail.subject)[: limits.SUBJECT_CHARS_MAX],
        message_id=storable(mail.message_id or "") or None,
        sender_name=storable(mail.sender_name or "") or None,
        references=tuple(storable(each) for each in mail.references),
        conversation_sids=tuple(dict.fromkeys(each for each in marks if each is not None)),
    )


def _bounded_body(body: str | None) -> str | None:
    """Return a text within the limit of a message; what exceeds it is cut off and logged."""
    if body is None:
        return None
    data = storable(body).encode()
    if len(data) > limits.MESSAGE_BODY_BYTES_MAX:
        log.warning("inbound_body_truncated", size=len(data))
        data = data[: limits.MESSAGE_BODY_BYTES_MAX]
    return data.decode(errors="ignore") or None


def _bounded_metadata(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    if metadata is None:
        return None
    cleaned: dict[str, Any] = _clean_json(metadata, _DEPTH_MAX)
    size = len(msgspec.json.encode(cleaned))
    if size > limits.CHANNEL_METADATA_BYTES_MAX:
        log.warning("channel_metadata_dropped", size=size)
        return None
    return cleaned


def _clean_json(value: Any, depth: int) -> Any:
    """Return a JSON value with clean texts; values nested too deeply become null."""
    if depth == 0:
        return None
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(key)): _clean_json(each, depth - 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean_json(each, depth - 1) for each in value]
    return value
