"""Parameters of the operations on content templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import json_parsers, parsers
from parlour.resources.content_templates.rendering import TYPES, has_required_lists
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, Unset

_objects = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def _types(name: str, text: str) -> str:
    """Return a JSON object with an object for each type. Raises 50542 for an unknown type.

    The lists that clients iterate over are required: without them one template breaks all.
    """
    if len(text.encode()) > limits.MESSAGE_BODY_BYTES_MAX:
        raise ApiError.invalid(name)
    try:
        found = _objects(text)
    except (msgspec.DecodeError, RecursionError):
        raise ApiError.invalid(name) from None
    if not found:
        raise ApiError.invalid(name)
    if not set(TYPES).issuperset(found):
        raise ApiError(50542)
    if not all(has_required_lists(type_, variant) for type_, variant in found.items()):
        raise ApiError.invalid(name)
    return text


def _body(_name: str, text: str) -> str | Unset:
    """Return a body of at most the length of a message's; empty counts as absent."""
    if len(text.encode()) > limits.MESSAGE_BODY_BYTES_MAX:
        raise ApiError(50504)
    return text or UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateContentTemplate(Parameters):
    """A name, and a text with placeholders like ``{{1}}`` or variants of which one has a text."""

    friendly_name: str | Unset = form_field(
        "FriendlyName", parsers.text(limits.FRIENDLY_NAME_CHARS_MAX), required=True
    )
    body: str | Unset = form_field("Body", _body)
    types: str | Unset = form_field("Types", _types)
    variables: str | Unset = form_field("Variables", json_parsers.content_variables())
