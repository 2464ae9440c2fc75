"""What is shown of a content template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.protocol.timestamps import format_date_ms
from parlour.resources.content_templates.rendering import TEXT, has_required_lists, variable_names

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.content_templates.store import ContentTemplate


def _variants(template: ContentTemplate) -> dict[str, Any]:
    """Return the forms of a template by their types; the text is one where none was given."""
    types: dict[str, Any] = {} if template.types is None else msgspec.json.decode(template.types)
    types = {type_: each for type_, each in types.items() if has_required_lists(type_, each)}
    return types or {TEXT: {"body": template.body}}


def _variables(template: ContentTemplate) -> dict[str, Any]:
    """Return the variables; the places of the text have no samples where none were given."""
    if template.variables is None:
        return dict.fromkeys(variable_names(template), "")
    variables: dict[str, Any] = msgspec.json.decode(template.variables)
    return variables


def client_resource(template: ContentTemplate) -> dict[str, Any]:
    """Return what clients see of a template: its forms, and its variables with their samples."""
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
    """Return the same: whoever configures a template sees what its clients will."""
    return client_resource(template)
