"""Parameters of the operations on content templates."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import json_parsers, parsers
from parlour.resources.content_templates.rendering import (
    TYPES,
    UNDISPLAYED_TYPES,
    has_required_lists,
)
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, Unset

CATEGORIES: Final = ("UTILITY", "MARKETING", "AUTHENTICATION")
"""The categories of WhatsApp's templates."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,4}){0,2}\Z")
_APPROVAL_NAME: Final = re.compile(r"[a-z0-9_]+\Z")
_objects = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def _types(name: str, text: str) -> str:
    """Return a JSON object with an object for each type. Raises 50542 for an unknown type.

    The lists that clients iterate over are required: without them one template breaks all.
    """
    return _checked_types(name, text, TYPES)


def _content_types(name: str, text: str) -> str:
    """Return the same, with the types that clients do not display as well.

    Members that are null count as absent: some SDKs send each member that a type may have.
    """
    try:
        found = msgspec.json.decode(text)
        text = msgspec.json.encode(_without_nulls(found)).decode()
    except (ValueError, RecursionError):
        raise ApiError.invalid(name) from None
    return _checked_types(name, text, TYPES + UNDISPLAYED_TYPES)


def _checked_types(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if len(text.encode()) > limits.MESSAGE_BODY_BYTES_MAX:
        raise ApiError.invalid(name)
    try:
        found = _objects(text)
    except (ValueError, RecursionError):
        raise ApiError.invalid(name) from None
    if not found:
        raise ApiError.invalid(name)
    if not set(allowed).issuperset(found):
        raise ApiError(50542)
    if not all(has_required_lists(type_, variant) for type_, variant in found.items()):
        raise ApiError.invalid(name)
    return text


def _without_nulls(value: Any) -> Any:
    """Return decoded JSON without the members of objects that are null."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value


def _body(_name: str, text: str) -> str | Unset:
    """Return a body of at most the length of a message's; empty counts as absent."""
    if len(text.encode()) > limits.MESSAGE_BODY_BYTES_MAX:
        raise ApiError(50504)
    return text or UNSET


def _language(name: str, text: str) -> str:
    """Return a language code such as ``en`` or ``pt_BR``."""
    if not _LANGUAGE.match(text):
        raise ApiError.invalid(name)
    return text


def _approval_name(name: str, text: str) -> str:
    """Return a name of lower-case letters, digits and underscores."""
    if not _APPROVAL_NAME.match(text) or len(text) > limits.TEMPLATE_APPROVAL_NAME_CHARS_MAX:
        raise ApiError.invalid(name)
    return text


class CreateContentTemplate(Parameters):
    """A name, and a text with placeholders like ``{{1}}`` or variants of which one has a text."""

    friendly_name: str | Unset = form_field(
        "FriendlyName", parsers.text(limits.FRIENDLY_NAME_CHARS_MAX), required=True
    )
    body: str | Unset = form_field("Body", _body)
    types: str | Unset = form_field("Types", _types)
    variables: str | Unset = form_field("Variables", json_parsers.content_variables())
    language: str | Unset = form_field("Language", _language)


class CreateContent(Parameters):
    """The same under the names of the hosted service's JSON; variants are required."""

    friendly_name: str | Unset = form_field(
        "friendly_name", parsers.text(limits.FRIENDLY_NAME_CHARS_MAX)
    )
    types: str | Unset = form_field("types", _content_types, required=True)
    variables: str | Unset = form_field("variables", json_parsers.content_variables())
    language: str | Unset = form_field("language", _language, required=True)


class RequestApproval(Parameters):
    """The name and the category under which WhatsApp is asked to approve a template."""

    name: str | Unset = form_field("name", _approval_name, required=True)
    category: str | Unset = form_field("category", parsers.enum(*CATEGORIES), required=True)


class UpdateContentTemplate(Parameters):
    """The decision about a requested approval; a rejection may have a reason."""

    approval_status: str | Unset = form_field(
        "ApprovalStatus", parsers.enum("approved", "rejected"), required=True
    )
    rejection_reason: str | Unset = form_field(
        "RejectionReason", parsers.text(limits.REJECTION_REASON_CHARS_MAX)
    )
