"""Representations of content templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.protocol.timestamps import format_date_ms
from parlour.resources.content_templates.rendering import TEXT, has_required_lists, variable_names

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.content_templates.store import ContentTemplate


def _variants(template: ContentTemplate) -> dict[str, Any]:
    """Return the variants of a template by type; the text is the only one if none was sent."""
    types: dict[str, Any] = {} if template.types is None else msgspec.json.decode(template.types)
    types = {type_: each for type_, each in types.items() if has_required_lists(type_, each)}
    return types or {TEXT: {"body": template.body}}


def _variables(template: ContentTemplate) -> dict[str, Any]:
    """Return the variables with their samples; without samples, the placeholders of the text."""
    if template.variables is None:
        return dict.fromkeys(variable_names(template), "")
    variables: dict[str, Any] = msgspec.json.decode(template.variables)
    return variables


def client_resource(template: ContentTemplate) -> dict[str, Any]:
    """Return the client's view of a template: its variants, and its variables with samples."""
    return {
        "sid": template.sid,
        "account_sid": template.account_sid,
        "friendly_name": template.friendly_name,
        "variables": msgspec.json.encode(_variables(template)).decode(),
        "variants": _variants(template),
        "date_created": format_date_ms(template.date_created),
        "date_updated": format_date_ms(template.date_updated),
    }


def resource(template: ContentTemplate, _view: View) -> dict[str, Any]:
    """Return the same as for clients, so that a developer sees what they receive."""
    return client_resource(template)
