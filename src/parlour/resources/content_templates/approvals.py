"""The approval of content templates for WhatsApp: requested by a program, then decided.

There is no reviewer: a setting approves each request at once, or the account decides by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.resources.content_templates import actions as content_template_actions
from parlour.resources.content_templates import store as content_template_store
from parlour.vocabulary.dates import updated
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.content_templates.parameters import (
        RequestApproval,
        UpdateContentTemplate,
    )
    from parlour.resources.content_templates.store import ContentTemplate
    from parlour.store.transaction import Transaction

# States of `ContentTemplate.approval_status`:
#
#   state        | request approval                     | approve  | reject
#   -------------|--------------------------------------|----------|---------
#   unsubmitted  | approved (setting auto), else pending | 400      | 400
#   pending      | 409                                  | approved | rejected
#   approved     | 409                                  | approved | rejected
#   rejected     | as unsubmitted, with the new name    | approved | rejected
#
# "received" is never stored: it is the status in the response to a request.
UNSUBMITTED: Final = "unsubmitted"
RECEIVED: Final = "received"
PENDING: Final = "pending"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"


async def request_approval(tx: Transaction, call: Call[RequestApproval]) -> ContentTemplate:
    """Submit a template for approval. Raises 409 if it is pending or approved."""
    template = await content_template_actions.content_template_in_path(tx, call)
    given = call.parameters.given()
    if template.approval_status in {PENDING, APPROVED}:
        raise ApiError(20409, "The approval of this template was requested already.")
    changed = updated(
        template,
        tx.now,
        approval_name=given["name"],
        approval_category=given["category"],
        approval_status=APPROVED if call.settings.approves_templates else PENDING,
        approval_reason="",
    )
    await _store(tx, call, changed)
    return changed


async def fetch_approval(tx: Transaction, call: Call[NoParameters]) -> ContentTemplate:
    """Return the template that the path names, with its approval."""
    return await content_template_actions.content_template_in_path(tx, call)


async def decide_approval(tx: Transaction, call: Call[UpdateContentTemplate]) -> ContentTemplate:
    """Approve or reject a template by hand. Raises 400 if no approval was requested."""
    template = await content_template_actions.content_template_in_path(tx, call)
    given = call.parameters.given()
    if template.approval_status == UNSUBMITTED:
        raise ApiError(20001, "No approval of this template was requested.")
    status = given["approval_status"]
    reason = given.get("rejection_reason", "") if status == REJECTED else ""
    changed = updated(template, tx.now, approval_status=status, approval_reason=reason)
    await _store(tx, call, changed)
    return changed


async def _store(tx: Transaction, call: Call[Any], template: ContentTemplate) -> None:
    await content_template_store.update_content_template_row(tx, call.scope, template)
    await content_template_actions.emit_change(tx, call, template)
