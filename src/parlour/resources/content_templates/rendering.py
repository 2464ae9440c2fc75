"""Render content templates: the text of a message, and its content by type.

Clients read the content of a message as JSON, ``{"data": <variant>}``, from a medium of the message
whose content type encodes the type of the variant: ``twilio/card`` becomes
``application/x-vnd.com.twilio.rich.twilio.card``.
A message has one content: the most complex variant of its template, in the order of the hosted
service's documentation.

Clients iterate over some lists of a variant without a null check: a variant without them makes
``getContentTemplates`` fail for all templates, and ``getContentData`` hang. Such variants are
rejected, and those that an earlier version accepted are hidden.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.resources.content_templates.store import ContentTemplate

TEXT: Final = "twilio/text"
TYPES: Final = (
    TEXT,
    "twilio/media",
    "twilio/location",
    "twilio/quick-reply",
    "twilio/call-to-action",
    "twilio/list-picker",
    "twilio/card",
)
"""The types that clients can display, the most complex one last."""
UNDISPLAYED_TYPES: Final = (
    "twilio/catalog",
    "twilio/carousel",
    "twilio/flows",
    "twilio/schedule",
    "whatsapp/card",
    "whatsapp/authentication",
    "whatsapp/flows",
)
"""Further types that a template may have: clients get its text instead of them."""
CONTENT_TYPE_PREFIX: Final = "application/x-vnd.com.twilio.rich."


class _List(NamedTuple):
    """A list in a variant, and the type of its entries."""

    name: str
    of: type
    is_required: bool = True


_LISTS: Final = {
    "twilio/media": (_List("media", str, is_required=False),),
    "twilio/quick-reply": (_List("actions", dict),),
    "twilio/call-to-action": (_List("actions", dict),),
    "twilio/list-picker": (_List("items", dict),),
    "twilio/card": (
        _List("media", str, is_required=False),
        _List("actions", dict, is_required=False),
    ),
}

_PLACEHOLDER: Final = re.compile(r"\{\{([^{}]{1,16})\}\}")
# JSON may escape each character of a name as six characters.
_JSON_PLACEHOLDER: Final = re.compile(r"\{\{([^{}]{1,96})\}\}")
_variables: Final = msgspec.json.Decoder(dict[str, str | bool | int | float]).decode
_variants: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string: Final = msgspec.json.Decoder(str).decode


class RenderedContent(msgspec.Struct, frozen=True):
    """The content of a message: its type as a medium, and JSON."""

    content_type: str
    json: str


def has_required_lists(type_: str, variant: dict[str, Any]) -> bool:
    """Return whether all lists of a variant are lists, and the required ones are present."""
    for each in _LISTS.get(type_, ()):
        found = variant.get(each.name)
        if found is None and not each.is_required:
            continue
        if not isinstance(found, list) or not all(isinstance(one, each.of) for one in found):
            return False
    return True


def most_complex_type(template: ContentTemplate) -> str:
    """Return the type of the variant that counts: an undisplayed one only if there is no other."""
    found: dict[str, Any] = {} if template.types is None else _variants(template.types)
    ordered = (*reversed(TYPES), *UNDISPLAYED_TYPES)
    return next((type_ for type_ in ordered if type_ in found), TEXT)


def variable_names(template: ContentTemplate) -> list[str]:
    """Return the names of the placeholders in a template's text, without duplicates, in order."""
    return list(dict.fromkeys(name.strip() for name in _PLACEHOLDER.findall(template.body)))


def render_text(template: ContentTemplate, variables: str | None) -> str:
    """Return the template's text with a JSON object of variables filled in.

    A placeholder without a variable is preserved. Raises 50504 if the text is too long.
    """
    return _filled(
        _PLACEHOLDER, template.body, variable_texts(variables), limits.MESSAGE_BODY_BYTES_MAX
    )


def render_content(template: ContentTemplate, variables: str | None) -> RenderedContent:
    """Return the content that clients display, with the variables filled in.

    Raises 50504 if it is too long.
    """
    type_, variant = _most_complex(template)
    # The variant is compact JSON, so "{{" occurs only inside strings.
    texts = {name: _quoted(text)[1:-1] for name, text in variable_texts(variables).items()}
    filled = _filled(
        _JSON_PLACEHOLDER, variant, texts, limits.MESSAGE_CONTENT_BYTES_MAX, name_of=_unquoted
    )
    # Clients replace the first dot with a slash.
    return RenderedContent(CONTENT_TYPE_PREFIX + type_.replace("/", "."), f'{{"data":{filled}}}')


def _most_complex(template: ContentTemplate) -> tuple[str, str]:
    """Return the type and the JSON of the variant that clients display."""
    if template.types is not None:
        variants = _variants(template.types)
        for type_ in reversed(TYPES):
            if type_ in variants and has_required_lists(
                type_, msgspec.json.decode(variants[type_])
            ):
                return type_, bytes(variants[type_]).decode()
    return TEXT, msgspec.json.encode({"body": template.body}).decode()


def _filled(
    places: re.Pattern[str],
    text: str,
    texts: dict[str, str],
    bytes_max: int,
    *,
    name_of: Callable[[str], str | None] = str,
) -> str:
    """Return a text with its placeholders filled in. Raises 50504 if it is too long.

    Stops as soon as the inserted text exceeds the limit: a small request may name a template that
    repeats a variable thousands of times.
    """
    room = bytes_max

    def fill(place: re.Match[str]) -> str:
        nonlocal room
        name = name_of(place[1])
        found = None if name is None else texts.get(name.strip())
        if found is None:
            return place[0]
        room -= len(found)
        if room < 0:
            raise ApiError(50504)
        return found

    filled = places.sub(fill, text)
    if len(filled.encode()) > bytes_max:
        raise ApiError(50504)
    return filled


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _unquoted(name: str) -> str | None:
    """Return the name of a placeholder; None for a match that spans two JSON strings."""
    try:
        return _string(f'"{name}"')
    except (ValueError, RecursionError):
        return None


def variable_texts(variables: str | None) -> dict[str, str]:
    """Return the values of a JSON object of variables as texts."""
    if variables is None:
        return {}
    return {name: _text(value) for name, value in _variables(variables).items()}


def _text(value: str | bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
