"""Inbound messages of WhatsApp: text, media, and the rich types as text with metadata (C41).

| type | body | media |
|---|---|---|
| text | the text | - |
| image, video, document | the caption | the file |
| audio, sticker | - | the file |
| button, interactive | the label of the choice; of a form its fields as JSON | - |
| location | name, address, coordinates: a line each | - |
| contacts | a line each: name and numbers | - |
| reaction | the emoji; a withdrawn one is skipped | - |
| order | a line each: quantity and product | - |
| other | skipped | - |

The metadata is ``{"context": {…}}``, in the names of the hosted service's parameters where it has
some. A user without a number has the address ``whatsapp:<user id>`` (C40).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.channels.carrier import InboundMedium, InboundMessage
from parlour.protocol import addresses
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MEDIUM_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_CONTENT_TYPE: Final = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+")
_MEDIA: Final = frozenset({"image", "video", "audio", "voice", "document", "sticker"})

Context = dict[str, str]
"""Metadata of one message, by the names of the hosted service's parameters."""


class SkippedMessage(Exception):  # noqa: N818 - named after the condition.
    """The message is not stored: a withdrawn reaction, a notice, an unknown type."""


class GraphProfile(msgspec.Struct, frozen=True):
    """The profile of a user."""

    name: str | None = None


class GraphContact(msgspec.Struct, frozen=True):
    """A user: the number as digits, the id that a business sees, or both."""

    profile: GraphProfile = GraphProfile()
    wa_id: str | None = None
    user_id: str | None = None


class GraphContext(msgspec.Struct, frozen=True):
    """The message that a message replies to."""

    id: str | None = None
    forwarded: bool = False


class GraphMedium(msgspec.Struct, frozen=True):
    """A file at WhatsApp."""

    id: str
    mime_type: str = "application/octet-stream"
    caption: str | None = None
    filename: str | None = None


class GraphMessage(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """One inbound message; the member named by ``type`` has its content."""

    id: str
    type: str
    sender: str | None = None
    from_user_id: str | None = None
    group_id: str | None = None
    context: GraphContext | None = None
    text: dict[str, Any] = {}
    image: GraphMedium | None = None
    video: GraphMedium | None = None
    audio: GraphMedium | None = None
    voice: GraphMedium | None = None
    document: GraphMedium | None = None
    sticker: GraphMedium | None = None
    button: dict[str, Any] = {}
    interactive: dict[str, Any] = {}
    location: dict[str, Any] = {}
    contacts: list[dict[str, Any]] = []
    reaction: dict[str, Any] = {}
    order: dict[str, Any] = {}


def read_message(
    message: GraphMessage, contacts: Sequence[GraphContact], receiver: str
) -> InboundMessage:
    """Return an inbound message. Raises SkippedMessage."""
    if not is_message_id(message.id):
        raise SkippedMessage("the id is malformed")
    if message.group_id is not None:
        raise SkippedMessage("groups of WhatsApp are not supported")
    contact = _contact_of(message, contacts)
    context: Context = {}
    medium = getattr(message, message.type) if message.type in _MEDIA else None
    body: str | None
    read = _READERS.get(message.type)
    if read is not None:
        body = read(message, context)
    elif isinstance(medium, GraphMedium):
        body = medium.caption
    else:
        raise SkippedMessage(f"type {message.type[:32]}")
    _add_common(context, message, contact)
    context = {
        name: _clean(text)[: limits.WHATSAPP_METADATA_CHARS_MAX] for name, text in context.items()
    }
    media = (_read_medium(medium),) if isinstance(medium, GraphMedium) else ()
    body = _clean(body) if body else ""
    if not body and not media:
        raise SkippedMessage(f"an empty message of type {message.type[:32]}")
    return InboundMessage(
        provider_id=message.id,
        channel=addresses.WHATSAPP,
        sender=_address_of(message, contact),
        receiver=receiver,
        group=(),
        body=body or None,
        media=media,
        profile_name=context["ProfileName"] or None,
        metadata={"context": {name: text for name, text in context.items() if text}},
    )


def is_message_id(text: str) -> bool:
    """Return whether a text can be the identifier of a message."""
    return 0 < len(text) <= limits.WHATSAPP_MESSAGE_ID_CHARS_MAX and text.isprintable()


def _contact_of(message: GraphMessage, contacts: Sequence[GraphContact]) -> GraphContact:
    """Return the contact of the sender; the only one if none has its number or id."""
    for each in contacts:
        if (message.sender and each.wa_id == message.sender) or (
            message.from_user_id and each.user_id == message.from_user_id
        ):
            return each
    return contacts[0] if len(contacts) == 1 else GraphContact()


def _address_of(message: GraphMessage, contact: GraphContact) -> str:
    """Return the address of the sender: the number, or else the user id."""
    number = message.sender or contact.wa_id or ""
    candidates = (
        f"+{number.removeprefix('+')}",
        message.from_user_id or contact.user_id or number,
    )
    for each in candidates:
        address = addresses.parse_address(f"{addresses.WHATSAPP}:{each}")
        if address is not None:
            return address.text
    raise SkippedMessage("the sender has neither a number nor an id")


def _add_common(context: Context, message: GraphMessage, contact: GraphContact) -> None:
    """Add the metadata that messages of any type have."""
    context["ProfileName"] = contact.profile.name or ""
    context["WaId"] = message.sender or contact.wa_id or ""
    context["UserId"] = message.from_user_id or contact.user_id or ""
    context["MessageType"] = message.type
    if message.context is not None:
        context["RepliedMessageId"] = message.context.id or ""
        context["Forwarded"] = "true" if message.context.forwarded else ""


def _read_medium(medium: GraphMedium) -> InboundMedium:
    if not MEDIUM_ID.fullmatch(medium.id):
        raise SkippedMessage("the medium's id is malformed")
    content_type = medium.mime_type.partition(";")[0].strip().lower()
    is_known = _CONTENT_TYPE.fullmatch(content_type) is not None
    filename = (
        _clean(medium.filename)[: limits.MEDIA_FILENAME_CHARS_MAX] if medium.filename else None
    )
    return InboundMedium(
        content_type=content_type if is_known else "application/octet-stream",
        filename=filename or None,
        content=None,
        location=medium.id,
    )


def _clean(text: str) -> str:
    """Return a text without NUL, which PostgreSQL cannot store."""
    return text.replace("\0", "")


# --- Bodies of the types without a file ------------------------------------------------------


def _text(message: GraphMessage, _context: Context) -> str:
    return _member(message.text, "body")


def _button(message: GraphMessage, context: Context) -> str:
    """Return the label of a template's button."""
    context["ButtonText"] = _member(message.button, "text")
    context["ButtonPayload"] = _member(message.button, "payload")
    return context["ButtonText"] or context["ButtonPayload"]


def _interactive(message: GraphMessage, context: Context) -> str:
    """Return the label of a chosen button or row, or the fields of a form."""
    kind = _member(message.interactive, "type")
    reply = message.interactive.get(kind)
    if not isinstance(reply, dict):
        raise SkippedMessage(f"an interactive message of type {kind[:32]}")
    if kind == "nfm_reply":
        context["InteractiveData"] = _member(reply, "response_json")
        return _member(reply, "body") or context["InteractiveData"]
    title, choice = _member(reply, "title"), _member(reply, "id")
    if kind == "list_reply":
        context["ListTitle"], context["ListId"] = title, choice
        context["ListDescription"] = _member(reply, "description")
    else:
        context["ButtonText"], context["ButtonPayload"] = title, choice
    return title or choice


def _location(message: GraphMessage, context: Context) -> str:
    names = {
        "Label": "name",
        "Address": "address",
        "Latitude": "latitude",
        "Longitude": "longitude",
    }
    context.update({ours: _member(message.location, theirs) for ours, theirs in names.items()})
    if not (context["Latitude"] and context["Longitude"]):
        raise SkippedMessage("a location without coordinates")
    place = f"{context['Latitude']}, {context['Longitude']}"
    return "\n".join(each for each in (context["Label"], context["Address"], place) if each)


def _contacts(message: GraphMessage, _context: Context) -> str:
    lines = []
    for each in message.contacts:
        name = each.get("name")
        found = each.get("phones")
        phones = found if isinstance(found, list) else []
        parts = [_member(name, "formatted_name") if isinstance(name, dict) else ""]
        parts += [_member(phone, "phone") for phone in phones if isinstance(phone, dict)]
        lines.append(" ".join(part for part in parts if part))
    return "\n".join(line for line in lines if line)


def _reaction(message: GraphMessage, context: Context) -> str:
    context["RepliedMessageId"] = _member(message.reaction, "message_id")
    emoji = _member(message.reaction, "emoji")
    if not emoji:
        raise SkippedMessage("a withdrawn reaction")
    return emoji


def _order(message: GraphMessage, context: Context) -> str:
    context["CatalogId"] = _member(message.order, "catalog_id")
    items = message.order.get("product_items")
    lines = [_member(message.order, "text")]
    for each in items if isinstance(items, list) else ():
        if isinstance(each, dict):
            product = _member(each, "product_retailer_id")
            lines.append(f"{_member(each, 'quantity')} {product}".strip())
    return "\n".join(line for line in lines if line)


def _member(value: dict[str, Any], name: str) -> str:
    """Return a member as a text; empty if it is absent, null, or no plain value."""
    found = value.get(name)
    return str(found) if isinstance(found, str | int | float) else ""


_READERS: Final[dict[str, Callable[[GraphMessage, Context], str]]] = {
    "text": _text,
    "button": _button,
    "interactive": _interactive,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "order": _order,
}
