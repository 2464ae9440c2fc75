"""Representations of content templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.protocol.timestamps import format_date, format_date_ms
from parlour.resources.content_templates.approvals import RECEIVED
from parlour.resources.content_templates.rendering import (
    TEXT,
    TYPES,
    has_required_lists,
    most_complex_type,
    variable_names,
)

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.content_templates.store import ContentTemplate


def _variants(template: ContentTemplate) -> dict[str, Any]:
    """Return the variants of a template by type; the text is the only one if none was sent."""
    types: dict[str, Any] = {} if template.types is None else msgspec.json.decode(template.types)
    types = {
        type_: each
        for type_, each in types.items()
        if type_ in TYPES and has_required_lists(type_, each)
    }
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


def client_view(template: ContentTemplate, _view: View) -> dict[str, Any]:
    """Return the client's view, as the response of an operation."""
    return client_resource(template)


def resource(template: ContentTemplate, _view: View) -> dict[str, Any]:
    """Return what clients receive, the language, and the state of the approval."""
    return {
        **client_resource(template),
        "language": template.language,
        "approval": {
            "name": template.approval_name,
            "category": template.approval_category,
            "status": template.approval_status,
            "rejection_reason": template.approval_reason,
        },
    }


# --- The hosted service's own product for templates -----------------------------------------


def content(template: ContentTemplate, view: View) -> dict[str, Any]:
    """Return the resource that the official SDKs read as a content."""
    url = f"{view.root_url}/Content/{template.sid}"
    return {
        **_content(template),
        "url": url,
        "links": {
            "approval_create": f"{url}/ApprovalRequests/whatsapp",
            "approval_fetch": f"{url}/ApprovalRequests",
        },
    }


def content_and_approval(template: ContentTemplate, _view: View) -> dict[str, Any]:
    """Return a content with its approval, an entry of the list of both."""
    return {**_content(template), "approval_requests": _approval(template)}


def approval(template: ContentTemplate, view: View) -> dict[str, Any]:
    """Return the resource of a fetched approval."""
    return {
        "sid": template.sid,
        "account_sid": template.account_sid,
        "whatsapp": {"type": "whatsapp", **_approval(template)},
        "url": f"{view.root_url}/Content/{template.sid}/ApprovalRequests",
    }


def requested_approval(template: ContentTemplate, _view: View) -> dict[str, Any]:
    """Return the response to a request of approval: it was received, and is decided later."""
    return {**_approval(template), "status": RECEIVED, "rejection_reason": ""}


def _content(template: ContentTemplate) -> dict[str, Any]:
    variables: dict[str, Any] = (
        {} if template.variables is None else msgspec.json.decode(template.variables)
    )
    types: dict[str, Any] = (
        {TEXT: {"body": template.body}}
        if template.types is None
        else msgspec.json.decode(template.types)
    )
    return {
        "date_created": format_date(template.date_created),
        "date_updated": format_date(template.date_updated),
        "sid": template.sid,
        "account_sid": template.account_sid,
        "friendly_name": template.friendly_name,
        "language": template.language,
        "variables": variables,
        "types": types,
    }


def _approval(template: ContentTemplate) -> dict[str, Any]:
    return {
        "name": template.approval_name,
        "category": template.approval_category,
        "content_type": most_complex_type(template),
        "status": template.approval_status,
        "rejection_reason": template.approval_reason,
        "allow_category_change": True,
    }
