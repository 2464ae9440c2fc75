"""What a template makes of its variables: the text of a message, and its content by type.

Clients read the content of a message as JSON, ``{"data": <variant>}``, from a medium of the message
whose type names the variant's: ``application/x-vnd.com.twilio.rich.twilio.card`` is that of
``twilio/card``.
A message has one content. Of a template's variants that is the most complex one, as the hosted
service's documentation orders them.

Clients walk some lists of a variant without a look whether they are there: a variant without them
makes ``getContentTemplates`` fail for all templates, and ``getContentData`` never end. So no such
variant is accepted, and those that an earlier version accepted are not shown.
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
"""The types that clients know how to show, the most complex one last."""
CONTENT_TYPE_PREFIX: Final = "application/x-vnd.com.twilio.rich."


class _List(NamedTuple):
    """A list of a variant, and the type of its entries."""

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
# As JSON text a name may be longer: six characters for one.
_JSON_PLACEHOLDER: Final = re.compile(r"\{\{([^{}]{1,96})\}\}")
_variables: Final = msgspec.json.Decoder(dict[str, str | bool | int | float]).decode
_variants: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string: Final = msgspec.json.Decoder(str).decode


class RenderedContent(msgspec.Struct, frozen=True):
    """The content of a message: its type as a medium, and JSON."""

    content_type: str
    json: str


def has_required_lists(type_: str, variant: dict[str, Any]) -> bool:
    """Return whether the lists of a variant are lists, and those that clients need are there."""
    for each in _LISTS.get(type_, ()):
        found = variant.get(each.name)
        if found is None and not each.is_required:
            continue
        if not isinstance(found, list) or not all(isinstance(one, each.of) for one in found):
            return False
    return True


def variable_names(template: ContentTemplate) -> list[str]:
    """Return the names of the places in a template's text, each once, in order."""
    return list(dict.fromkeys(name.strip() for name in _PLACEHOLDER.findall(template.body)))


def render_text(template: ContentTemplate, variables: str | None) -> str:
    """Return the template's text with a JSON object of variables filled in.

    A place without a variable stays as it is. Raises 50504 for a text that is too long.
    """
    return _filled(_PLACEHOLDER, template.body, _texts(variables), limits.MESSAGE_BODY_BYTES_MAX)


def render_content(template: ContentTemplate, variables: str | None) -> RenderedContent:
    """Return the content that clients show, with the variables filled in.

    Raises 50504 if it is too long.
    """
    type_, variant = _most_complex(template)
    # Two opening braces stand only in strings of JSON.
    texts = {name: _quoted(text)[1:-1] for name, text in _texts(variables).items()}
    filled = _filled(
        _JSON_PLACEHOLDER, variant, texts, limits.MESSAGE_CONTENT_BYTES_MAX, name_of=_unquoted
    )
    # The clients make a slash of the first dot.
    return RenderedContent(CONTENT_TYPE_PREFIX + type_.replace("/", "."), f'{{"data":{filled}}}')


def _most_complex(template: ContentTemplate) -> tuple[str, str]:
    """Return the type and the JSON of the variant that clients show."""
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
    """Return a text with its places filled in. Raises 50504 if it is too long.

    It ends as soon as what was filled in is too long: a small request may name a template that
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
    """Return the name of a place; None for text that ends in another string than it begins in."""
    try:
        return _string(f'"{name}"')
    except msgspec.DecodeError:
        return None


def _texts(variables: str | None) -> dict[str, str]:
    if variables is None:
        return {}
    return {name: _text(value) for name, value in _variables(variables).items()}


def _text(value: str | bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
