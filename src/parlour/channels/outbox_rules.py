"""The rules of channels: limits of texts, and which media a channel carries.

| recipient | rule |
|---|---|
| sms | one medium: JPG, PNG, MP3, AMR, MP4 or PDF below 5 MB; text up to 1600 characters |
| sms outside the United States and Canada | no media: links after the text |
| whatsapp | as sms, up to 16 MB; audio without the text |
| email | all media, up to 20 MB together once they are encoded |
| other | all media |

Of several media the first is sent, without the text. With ``several_media = "all"`` of the sender,
the text and those media are sent that the channel takes: by MMS each of these types, up to 5 MB
together, and by WhatsApp the first of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.channels import mail_size
from parlour.channels.carrier import OutboundMedium  # noqa: TC001 - a field of a record.
from parlour.protocol import addresses
from parlour.resources.participants import groups as participant_groups
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.resources.carrier_numbers.store import SeveralMedia

TOO_LONG: Final = 21617
NO_MMS: Final = 21612
MEDIUM_TOO_LARGE: Final = 11751
MEDIUM_TYPE: Final = 12300

_TYPES: Final = frozenset(
    "image/jpeg image/jpg image/png audio/mpeg audio/mp3 audio/amr video/mp4"
    " application/pdf".split()
)
_TEXT_CHANNELS: Final = frozenset({addresses.SMS, addresses.WHATSAPP})
_BODY_CHARS_MAX: Final = {
    addresses.SMS: limits.SMS_BODY_CHARS_MAX,
    addresses.WHATSAPP: limits.WHATSAPP_BODY_CHARS_MAX,
}
_BYTES_MAX: Final = {
    addresses.SMS: limits.MMS_BYTES_MAX,
    addresses.WHATSAPP: limits.WHATSAPP_MEDIUM_BYTES_MAX,
}


class ChannelText(msgspec.Struct, frozen=True):
    """The part of a message that a channel carries; with a ``code`` it cannot be sent."""

    body: str | None
    media: tuple[OutboundMedium, ...] = ()
    code: int = 0


def for_channel(
    channel: str,
    recipients: Sequence[str],
    body: str | None,
    media: tuple[OutboundMedium, ...],
    *,
    several_media: SeveralMedia = "first",
) -> ChannelText:
    """Return the text and the media that are sent to recipients of one channel."""
    if channel == addresses.EMAIL:
        is_too_large = mail_size.least_bytes(media) > limits.EMAIL_BYTES_MAX
        code = MEDIUM_TOO_LARGE if is_too_large else 0
        return ChannelText(body, media, code)
    if channel not in _TEXT_CHANNELS:
        return ChannelText(body, media)
    if channel == addresses.SMS and media and not all(map(has_mms, recipients)):
        return _limited(channel, _with_links(body, media))
    if not media:
        return _limited(channel, ChannelText(body))
    if len(media) == 1 or several_media == "all":
        found = ChannelText(body, _carried(channel, media) or media[:1])
    else:
        found = ChannelText(None, media[:1])
    code = _medium_code(channel, found.media[0])
    if code:
        return msgspec.structs.replace(found, code=code)
    if channel == addresses.WHATSAPP and _type(found.media[0]).startswith("audio/"):
        found = msgspec.structs.replace(found, body=None)
    return _limited(channel, found)


def _carried(channel: str, media: Sequence[OutboundMedium]) -> tuple[OutboundMedium, ...]:
    """Return the media that one message of a channel takes."""
    found: list[OutboundMedium] = []
    total = 0
    for each in media:
        if not _medium_code(channel, each) and total + each.size <= _BYTES_MAX[channel]:
            found.append(each)
            total += each.size
    return tuple(found[:1] if channel == addresses.WHATSAPP else found)


def _medium_code(channel: str, medium: OutboundMedium) -> int:
    """Return why a channel does not take a medium; 0 if it does."""
    if _type(medium) not in _TYPES:
        return MEDIUM_TYPE
    return MEDIUM_TOO_LARGE if medium.size > _BYTES_MAX[channel] else 0


def _type(medium: OutboundMedium) -> str:
    return medium.content_type.partition(";")[0].strip().lower()


def has_mms(address: str) -> bool:
    """Return whether media can be sent to a number: only in the United States and Canada."""
    return participant_groups.may_be_in_group(address)


def _with_links(body: str | None, media: tuple[OutboundMedium, ...]) -> ChannelText:
    if not all(each.url for each in media):
        return ChannelText(body, media, NO_MMS)
    return ChannelText("\n".join([*([body] if body else []), *(each.url for each in media)]))


def _limited(channel: str, found: ChannelText) -> ChannelText:
    if not found.code and len(found.body or "") > _BODY_CHARS_MAX[channel]:
        return msgspec.structs.replace(found, code=TOO_LONG)
    return found
