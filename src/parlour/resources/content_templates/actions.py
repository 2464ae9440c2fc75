"""Actions on content templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.resources.content_templates import store as content_template_store
from parlour.resources.content_templates.store import ContentTemplate
from parlour.resources.in_path import in_path
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.content_templates.parameters import CreateContent, CreateContentTemplate
    from parlour.store.transaction import Transaction


content_template_in_path = in_path(sids.CONTENT, content_template_store.find_content_template)


async def create_content_template(
    tx: Transaction, call: Call[CreateContentTemplate | CreateContent]
) -> ContentTemplate:
    """Create a template. Raises 400 if the account has reached its limit of templates."""
    given = call.parameters.given()
    # Either a text, or at least one variant that contains a text.
    if "body" not in given and "types" not in given:
        raise ApiError.missing("Body")
    if (
        await content_template_store.count_content_templates(tx, call.scope)
        >= limits.CONTENT_TEMPLATES_PER_ACCOUNT_MAX
    ):
        most = limits.CONTENT_TEMPLATES_PER_ACCOUNT_MAX
        raise ApiError(20001, f"An account has {most} content templates at most.")
    body = given["body"] if "body" in given else _text_of(given["types"])
    if "\0" in body:
        raise ApiError.invalid("Types")
    template = ContentTemplate(
        account_sid=call.scope.account_sid,
        sid=tx.new_sid(sids.CONTENT),
        friendly_name=given.get("friendly_name", ""),
        body=body,
        types=given.get("types"),
        language=given.get("language", "en"),
        variables=given.get("variables"),
        date_created=tx.now,
        date_updated=tx.now,
    )
    await content_template_store.insert_content_template(tx, call.scope, template)
    await emit_change(tx, call, template)
    return template


def _text_of(types: str) -> str:
    """Return the fallback text: the first body of a variant, or else the first title."""
    variants = msgspec.json.decode(types)
    forms = variants.values()
    for member in ("body", "title"):
        for form in forms:
            if isinstance(form.get(member), str):
                return str(form[member])
    # WhatsApp has the text of one-time passwords; the template has only its parts.
    return "{{1}} is your verification code." if "whatsapp/authentication" in variants else ""


async def fetch_content_template(tx: Transaction, call: Call[NoParameters]) -> ContentTemplate:
    """Return the template that the path names."""
    return await content_template_in_path(tx, call)


async def delete_content_template(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a template; messages created from it keep their text."""
    template = await content_template_in_path(tx, call)
    await content_template_store.delete_content_template_row(tx, call.scope, template.sid)
    await emit_change(tx, call, template)


async def emit_change(tx: Transaction, call: Call[Any], template: ContentTemplate) -> None:
    """Emit the internal event that a template was created, updated or deleted."""
    payload = {"content_template": {"sid": template.sid, "friendly_name": template.friendly_name}}
    await tx.emit(
        call.scope, event_names.ACCOUNT_CHANGED, subject_sid=template.sid, payload=payload
    )


async def list_content_templates(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of the account's templates."""
    return Rows(
        await content_template_store.list_content_templates(tx, call.scope, call.page_request),
        order="sid",
    )
