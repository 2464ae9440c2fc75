"""What each channel gets of a content template, and the template that a text was written from.

WhatsApp gets an approved template by its name there, with the values of its variables; without an
approval, and on every other channel, it is a text. ``body`` of the message is for chat users.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from parlour.protocol import addresses
from parlour.resources.content_templates import rendering as content_template_rendering
from parlour.resources.content_templates import store as content_template_store
from parlour.resources.content_templates.approvals import APPROVED
from parlour.resources.content_templates.rendering import TEXT
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.resources.content_templates.store import ContentTemplate
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_PARTS: Final = re.compile(r"\{\{([^{}]{1,16})\}\}")


class OutboundTemplate(msgspec.Struct, frozen=True):
    """A template as a channel takes it that has templates itself.

    ``types`` are its variants by type, not filled in; ``variables`` are the values by name.
    ``approved_name`` is its name at WhatsApp; empty if WhatsApp has not approved it.
    """

    content_sid: str
    friendly_name: str
    language: str
    types: dict[str, Any]
    variables: dict[str, str]
    approved_name: str = ""


class RenderedTemplate(NamedTuple):
    """The text of a template with its variables filled in, and the template for WhatsApp only."""

    text: str
    template: OutboundTemplate | None


def render_for_channel(
    template: ContentTemplate, channel: str, variables: str | None
) -> RenderedTemplate:
    """Return what a channel gets; ``variables`` are a JSON object, or None.

    Values that were not sent are the samples of the template. Raises 50504 if a text is too long.
    """
    plain = template
    types: dict[str, Any] = {} if template.types is None else msgspec.json.decode(template.types)
    body = types.get(TEXT, {}).get("body")
    if isinstance(body, str):
        plain = msgspec.structs.replace(template, body=body)
    text = content_template_rendering.render_text(plain, variables)
    if channel != addresses.WHATSAPP:
        return RenderedTemplate(text, None)
    rich = OutboundTemplate(
        content_sid=template.sid,
        friendly_name=template.friendly_name,
        language=template.language,
        types=types or {TEXT: {"body": template.body}},
        variables=_values(template, variables),
        approved_name=template.approval_name if is_approved(template) else "",
    )
    return RenderedTemplate(text, rich)


def is_approved(template: ContentTemplate) -> bool:
    """Return whether WhatsApp takes the template outside its window."""
    return template.approval_status == APPROVED


def missing_variables(template: ContentTemplate, variables: str | None) -> list[str]:
    """Return the placeholders of a template's text that have neither a value nor a sample."""
    values = _values(template, variables)
    names = content_template_rendering.variable_names(template)
    return [name for name in names if not values.get(name)]


def _values(template: ContentTemplate, variables: str | None) -> dict[str, str]:
    samples = content_template_rendering.variable_texts(template.variables)
    return samples | content_template_rendering.variable_texts(variables)


# --- The older way: a body that equals the text of an approved template ------------------------


async def find_approved_by_text(
    tx: Transaction, scope: Scope, body: str
) -> tuple[ContentTemplate, dict[str, str]] | None:
    """Return the approved template whose text with some values is this body, and the values.

    The work is bounded: bodies longer than WhatsApp allows match nothing, an account has up to
    `limits.CONTENT_TEMPLATES_PER_ACCOUNT_MAX` templates, and each takes one pass over the body.
    """
    if len(body) > limits.WHATSAPP_BODY_CHARS_MAX:
        return None
    length_max = len(body) + limits.TEMPLATE_PLACEHOLDERS_CHARS_MAX
    for template in await content_template_store.list_approved(tx, scope, length_max):
        values = match_text(template.body, body)
        if values is not None:
            return template, values
    return None


def match_text(text: str, body: str) -> dict[str, str] | None:
    """Return the values with which a template's text becomes the body; None if it cannot.

    A value has at least one character. The text between two placeholders is searched from the
    left, and not again: a value that contains it may be missed, but no wrong text ever matches.
    """
    literals = _PARTS.split(text)
    names = [name.strip() for name in literals[1::2]]
    literals = literals[::2]
    if not names:
        return {} if text == body else None
    if not body.startswith(literals[0]):
        return None
    values: dict[str, str] = {}
    start = len(literals[0])
    for number, (name, literal) in enumerate(zip(names, literals[1:], strict=True), 1):
        is_last = number == len(names)
        end = len(body) - len(literal) if is_last else body.find(literal, start + 1)
        if end <= start or not body.startswith(literal, end):
            return None
        value = body[start:end]
        if values.setdefault(name, value) != value:
            return None
        start = end + len(literal)
    return values
