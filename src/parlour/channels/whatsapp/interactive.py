"""Messages of templates that WhatsApp has not approved: free-form, within its window.

A variant that WhatsApp cannot show as it is becomes its text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.channels.whatsapp.template_components import (
    actions_of,
    body_of,
    medium_of,
    variant_of,
)
from parlour.channels.whatsapp.variables import fill

if TYPE_CHECKING:
    from parlour.channels.carrier import OutboundTemplate

_REPLIES_MAX: Final = 3
_ROWS_MAX: Final = 10

TypedContent = tuple[str, dict[str, Any]]
"""The type of a message, and the object under that name."""


def build_free_form(template: OutboundTemplate) -> TypedContent | None:
    """Return the message of a variant; None for a text."""
    type_, variant = variant_of(template)
    variables = template.variables
    build = _BUILDERS.get(type_)
    return None if build is None else build(_filled(variant, variables), variables)


def _filled(value: Any, variables: dict[str, str]) -> Any:
    if isinstance(value, str):
        return fill(value, variables)
    if isinstance(value, dict):
        return {name: _filled(each, variables) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, variables) for each in value]
    return value


def _reply_buttons(variant: dict[str, Any], _variables: dict[str, str]) -> TypedContent | None:
    """Return up to three buttons with replies."""
    actions = actions_of(variant)
    are_replies = all(str(each.get("type", "QUICK_REPLY")) == "QUICK_REPLY" for each in actions)
    if not 0 < len(actions) <= _REPLIES_MAX or not are_replies:
        return None
    buttons = [{"type": "reply", "reply": _labelled(each)} for each in actions]
    return "interactive", {
        "type": "button",
        "body": {"text": body_of(variant)},
        "action": {"buttons": buttons},
    }


def _labelled(action: dict[str, Any]) -> dict[str, str]:
    title = str(action.get("title") or "")
    return {"id": str(action.get("id") or title), "title": title}


def _list(variant: dict[str, Any], _variables: dict[str, str]) -> TypedContent | None:
    items = variant.get("items")
    if not isinstance(items, list) or not 0 < len(items) <= _ROWS_MAX:
        return None
    rows = []
    for each in items:
        row = {"id": str(each.get("id") or each.get("item")), "title": str(each.get("item") or "")}
        description = each.get("description")
        rows.append(row | {"description": str(description)} if description else row)
    return "interactive", {
        "type": "list",
        "body": {"text": body_of(variant)},
        "action": {"button": str(variant.get("button") or "Menu"), "sections": [{"rows": rows}]},
    }


def _link_button(variant: dict[str, Any], _variables: dict[str, str]) -> TypedContent | None:
    """Return one button that opens a URL."""
    actions = actions_of(variant)
    if len(actions) != 1 or str(actions[0].get("type")) != "URL":
        return None
    parameters = {"display_text": str(actions[0].get("title")), "url": str(actions[0].get("url"))}
    return "interactive", {
        "type": "cta_url",
        "body": {"text": body_of(variant)},
        "action": {"name": "cta_url", "parameters": parameters},
    }


def _media(variant: dict[str, Any], variables: dict[str, str]) -> TypedContent | None:
    found = medium_of(variant, variables)
    if found is None:
        return None
    kind, url = found
    caption = body_of(variant)
    return kind, {"link": url} | ({"caption": caption} if caption else {})


def _location(variant: dict[str, Any], _variables: dict[str, str]) -> TypedContent | None:
    place = {"latitude": variant.get("latitude"), "longitude": variant.get("longitude")}
    if None in place.values():
        return None
    for ours, theirs in (("label", "name"), ("address", "address")):
        if variant.get(ours):
            place[theirs] = variant[ours]
    return "location", place


def _card(variant: dict[str, Any], variables: dict[str, str]) -> TypedContent | None:
    """Return buttons below a medium, or the medium alone."""
    made = _reply_buttons(variant, variables)
    found = medium_of(variant, variables)
    if made is None:
        return _media(variant, variables)
    if found is not None:
        made[1]["header"] = {"type": found[0], found[0]: {"link": found[1]}}
    footer = variant.get("subtitle") or variant.get("footer")
    if footer:
        made[1]["footer"] = {"text": str(footer)}
    return made


_BUILDERS: Final = {
    "twilio/quick-reply": _reply_buttons,
    "twilio/list-picker": _list,
    "twilio/call-to-action": _link_button,
    "twilio/media": _media,
    "twilio/location": _location,
    "twilio/card": _card,
    "whatsapp/card": _card,
}
