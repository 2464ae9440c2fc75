"""Template messages: the name of an approved template, and the values of its parts.

WhatsApp has the text of the template; a message has only values, in components: the header (a
medium or a text), the body, and one for each button that needs a value.

| our type | header | body | buttons |
|---|---|---|---|
| twilio/text, twilio/list-picker | - | body | - |
| twilio/media | medium | body | - |
| twilio/quick-reply | - | body | payloads |
| twilio/call-to-action | - | body | ends of URLs, codes to copy |
| twilio/card | medium | body, or else title | all of these |
| whatsapp/card | medium or text | body | all of these |
| whatsapp/authentication | - | the code | the code |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.channels.carrier import Rejected
from parlour.channels.whatsapp.variables import fill, first_placeholder, names_in
from parlour.resources.content_templates.rendering import TEXT, TYPES, UNDISPLAYED_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.channels.carrier import OutboundTemplate

WRONG_PARAMETERS: Final = 63028
_AUTHENTICATION: Final = "whatsapp/authentication"
# WhatsApp's own types first, then from the most complex one to the text.
_ORDER: Final = (
    *(each for each in UNDISPLAYED_TYPES if each.startswith("whatsapp/")),
    *reversed(TYPES),
    *(each for each in UNDISPLAYED_TYPES if not each.startswith("whatsapp/")),
)
_KINDS_BY_ENDING: Final = {
    ".mp4": "video",
    ".3gp": "video",
    ".pdf": "document",
}


class MissingVariableError(Exception):
    """A placeholder has no value: WhatsApp would reject the number of parameters."""


def variant_of(template: OutboundTemplate) -> tuple[str, dict[str, Any]]:
    """Return type and content of the variant for WhatsApp."""
    for type_ in _ORDER:
        variant = template.types.get(type_)
        if isinstance(variant, dict):
            return type_, variant
    return TEXT, {}


def build_template(template: OutboundTemplate) -> dict[str, Any] | Rejected:
    """Return the object ``template`` of a message; Rejected if a variable has no value."""
    type_, variant = variant_of(template)
    try:
        components = list(_components(type_, variant, template.variables))
    except MissingVariableError as error:
        return Rejected(WRONG_PARAMETERS, f"the template's variable {error} has no value")
    made: dict[str, Any] = {
        "name": template.approved_name,
        "language": {"code": template.language.replace("-", "_")},
    }
    return made | {"components": components} if components else made


def _components(
    type_: str, variant: dict[str, Any], variables: dict[str, str]
) -> Iterator[dict[str, Any]]:
    if type_ == _AUTHENTICATION:
        yield from _code_components(variables)
        return
    header = _header(variant, variables)
    if header:
        yield {"type": "header", "parameters": [header]}
    parameters = _text_parameters(body_of(variant), variables)
    if parameters:
        yield {"type": "body", "parameters": parameters}
    for index, action in enumerate(actions_of(variant)):
        button = _button(action, variables)
        if button is not None:
            yield {"type": "button", "index": str(index), **button}


def body_of(variant: dict[str, Any]) -> str:
    """Return the text of a variant: the body, or else the title."""
    for member in ("body", "title"):
        if isinstance(variant.get(member), str):
            return str(variant[member])
    return ""


def actions_of(variant: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the buttons of a variant."""
    actions = variant.get("actions")
    return [each for each in actions if isinstance(each, dict)] if isinstance(actions, list) else []


def medium_of(variant: dict[str, Any], variables: dict[str, str]) -> tuple[str, str] | None:
    """Return kind (image, video, document) and URL of a variant's first medium, or None."""
    media = variant.get("media")
    if not isinstance(media, list) or not media or not isinstance(media[0], str):
        return None
    url = fill(media[0], variables)
    ending = url.partition("?")[0].lower()[-4:]
    return _KINDS_BY_ENDING.get(ending, "image"), url


def _header(variant: dict[str, Any], variables: dict[str, str]) -> dict[str, Any] | None:
    medium = medium_of(variant, variables)
    if medium is not None:
        kind, url = medium
        return {"type": kind, kind: {"link": url}}
    text = variant.get("header_text")
    found = _text_parameters(text, variables) if isinstance(text, str) else []
    return found[0] if found else None


def _text_parameters(text: str, variables: dict[str, str]) -> list[dict[str, str]]:
    names = names_in(text)
    is_named = not all(name.isdigit() for name in names)
    made = []
    for name in names:
        parameter = {"type": "text", "text": _value(variables, name)}
        made.append(parameter | {"parameter_name": name} if is_named else parameter)
    return made


def _button(action: dict[str, Any], variables: dict[str, str]) -> dict[str, Any] | None:
    """Return the value of one button, None for a button without one."""
    kind = str(action.get("type", "QUICK_REPLY")).upper()
    if kind == "QUICK_REPLY":
        payload = action.get("id") or action.get("title") or ""
        value = {"type": "payload", "payload": fill(str(payload), variables)}
        return {"sub_type": "quick_reply", "parameters": [value]}
    if kind == "COPY_CODE":
        code = fill(str(action.get("code") or ""), variables)
        value = {"type": "coupon_code", "coupon_code": code}
        return {"sub_type": "copy_code", "parameters": [value]}
    url = action.get("url")
    start = first_placeholder(url) if isinstance(url, str) else None
    if kind != "URL" or not isinstance(url, str) or start is None:
        return None
    # WhatsApp's URL ends with its only placeholder: the value is everything from there on.
    for name in names_in(url):
        _value(variables, name)
    value = {"type": "text", "text": fill(url[start:], variables)}
    return {"sub_type": "url", "parameters": [value]}


def _code_components(variables: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the one-time password for the body, and for the button that copies it."""
    parameters = [{"type": "text", "text": _value(variables, "1")}]
    yield {"type": "body", "parameters": parameters}
    yield {"type": "button", "sub_type": "url", "index": "0", "parameters": parameters}


def _value(variables: dict[str, str], name: str) -> str:
    value = variables.get(name, "")
    if not value:
        raise MissingVariableError(name)
    return value
