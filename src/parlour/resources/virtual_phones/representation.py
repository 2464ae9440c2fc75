"""Representations of virtual phones and their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from parlour.protocol.timestamps import format_date
from parlour.resources.virtual_phones import behaviours as virtual_phone_behaviours
from parlour.resources.virtual_phones.message_store import PhoneMedium

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.virtual_phones.message_store import VirtualPhoneMessage
    from parlour.resources.virtual_phones.store import VirtualPhone

_addresses = msgspec.json.Decoder(list[str]).decode
_media = msgspec.json.Decoder(list[PhoneMedium]).decode


def _url(view: View, address: str) -> str:
    root = view.root_url.removesuffix("/v1")
    return f"{root}/parlour/v1/VirtualPhones/{quote(address, safe='')}"


def resource(phone: VirtualPhone, view: View) -> dict[str, Any]:
    """Return a phone; its error code is the default of its channel unless it has its own."""
    url = _url(view, phone.address)
    return {
        "address": phone.address,
        "channel": phone.channel,
        "name": phone.name,
        "behaviour": phone.behaviour,
        "delay_ms": phone.delay_ms,
        "error_code": virtual_phone_behaviours.error_code_of(phone),
        "receipts": phone.receipts,
        "reads": bool(phone.reads),
        "date_created": format_date(phone.date_created),
        "date_updated": format_date(phone.date_updated),
        "url": url,
        "links": {"messages": f"{url}/Messages"},
    }


def message_resource(message: VirtualPhoneMessage, view: View) -> dict[str, Any]:
    """Return a message as its phone shows it; the URLs of media need the account's login."""
    url = f"{_url(view, message.address)}/Messages/{message.sid}/Media"
    return {
        "sid": message.sid,
        "direction": message.direction,
        "from": message.sender,
        "to": _addresses(message.recipients),
        "group": None if message.members is None else _addresses(message.members),
        "body": message.body,
        "media": [
            {
                "content_type": each.content_type,
                "size": each.size,
                "filename": each.filename,
                "url": f"{url}/{each.sid}",
            }
            for each in _media(message.media)
        ],
        "encoding": message.encoding,
        "segments": message.segments,
        "status": message.status,
        "error_code": message.error_code,
        "conversation_sid": message.conversation_sid,
        "message_sid": message.message_sid,
        "participant_sid": message.participant_sid,
        "outcome": message.outcome,
        "reason": message.reason,
        "date_created": format_date(message.date_created),
    }
