"""Parameters of the operations on users."""

from __future__ import annotations

from typing import ClassVar, Final

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import json_parsers, parsers
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, Unset

RESERVED: Final = "system"
"""The author of messages without one; not allowed as an identity."""

_identity_text = parsers.text(limits.IDENTITY_CHARS_MAX, 50207)
_friendly_name_text = parsers.text(limits.FRIENDLY_NAME_CHARS_MAX, 50003)
_given_role_sid = parsers.sid(sids.ROLE, 50102)


def identity(name: str, text: str) -> str:
    """Return a chat identity: not empty, within the limit, not reserved, not like a user's sid."""
    if not text:
        raise ApiError(50204)
    if text == RESERVED:
        raise ApiError(50203)
    if sids.is_sid(sids.USER, text):
        raise ApiError(50206)
    return _identity_text(name, text)


def _friendly_name(name: str, text: str) -> str | Unset:
    """Return a name; empty retains the old value, as with conversations."""
    return _friendly_name_text(name, text) or UNSET


def _role_sid(name: str, text: str) -> str | Unset:
    """Return a role; empty is ignored."""
    return _given_role_sid(name, text) if text else UNSET


class CreateUser(Parameters):
    """A new user. Its identity is immutable."""

    identity: str = form_field("Identity", identity, required=True)
    friendly_name: str | Unset = form_field("FriendlyName", _friendly_name)
    attributes: str | Unset = form_field(
        "Attributes", json_parsers.attributes(limits.USER_ATTRIBUTES_BYTES_MAX)
    )
    role_sid: str | Unset = form_field("RoleSid", _role_sid)


class UpdateUser(Parameters):
    """A change of a user. Absent means unchanged."""

    empty_update_code: ClassVar[int | None] = 20161

    friendly_name: str | Unset = form_field("FriendlyName", _friendly_name)
    attributes: str | Unset = form_field(
        "Attributes", json_parsers.attributes(limits.USER_ATTRIBUTES_BYTES_MAX)
    )
    role_sid: str | Unset = form_field("RoleSid", _role_sid)
