"""Parameters of the operations on conversations."""

from __future__ import annotations

from typing import ClassVar

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import json_parsers, parsers, timestamps
from parlour.resources.timer_parsers import closed_timer, inactive_timer
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, Unset

_SECOND_MS = 1000
_DAY_MS = 86_400_000

_unique_name_text = parsers.text(limits.UNIQUE_NAME_CHARS_MAX, 50004)
_friendly_name_text = parsers.text(limits.FRIENDLY_NAME_CHARS_MAX, 50003)
_given_messaging_service_sid = parsers.sid(sids.MESSAGING_SERVICE, 50341)
_given_state = parsers.enum("active", "inactive", "closed", code=50378)
_date = timestamps.timestamp()


def _unique_name(name: str, text: str) -> str | None:
    """Return a unique name that cannot be confused with a sid; empty clears it."""
    if sids.is_sid(sids.CONVERSATION, text):
        raise ApiError(50390)
    return _unique_name_text(name, text) or None


def _friendly_name(name: str, text: str) -> str | Unset:
    """Return a name; empty retains the old value, as the hosted service does."""
    return _friendly_name_text(name, text) or UNSET


def _messaging_service_sid(name: str, text: str) -> str | Unset:
    return _given_messaging_service_sid(name, text) if text else UNSET


def _state(name: str, text: str) -> str:
    if not text:
        raise ApiError(50374)
    return _given_state(name, text)


def _end_date(name: str, text: str) -> int:
    """Return the first millisecond after the given second or UTC day."""
    date_alone = len(text) == len("2026-01-31")
    return _date(name, text) + (_DAY_MS if date_alone else _SECOND_MS)


class CreateConversation(Parameters):
    """A new conversation: all parameters are optional."""

    friendly_name: str | Unset = form_field("FriendlyName", _friendly_name)
    unique_name: str | Unset | None = form_field("UniqueName", _unique_name)
    date_created: int | Unset = form_field("DateCreated", timestamps.timestamp(50308))
    date_updated: int | Unset = form_field("DateUpdated", timestamps.timestamp(50309))
    messaging_service_sid: str | Unset = form_field("MessagingServiceSid", _messaging_service_sid)
    attributes: str | Unset = form_field(
        "Attributes", json_parsers.attributes(limits.CONVERSATION_ATTRIBUTES_BYTES_MAX)
    )
    state: str | Unset = form_field("State", _state)
    timers_inactive: int | Unset = form_field("Timers.Inactive", inactive_timer)
    timers_closed: int | Unset = form_field("Timers.Closed", closed_timer)
    bindings_email_address: str | Unset | None = form_field(
        "Bindings.Email.Address", parsers.clearable(parsers.text(limits.ADDRESS_CHARS_MAX), None)
    )
    bindings_email_name: str | Unset | None = form_field(
        "Bindings.Email.Name", parsers.clearable(parsers.text(limits.FRIENDLY_NAME_CHARS_MAX), None)
    )


class UpdateConversation(CreateConversation):
    """A change of a conversation. Absent means unchanged."""

    empty_update_code: ClassVar[int | None] = 50347


class ListConversations(Parameters):
    """Filters of a list: inclusive dates in seconds; the end is stored as an exclusive bound."""

    start_date: int | Unset = form_field("StartDate", timestamps.timestamp())
    end_date: int | Unset = form_field("EndDate", _end_date)
    state: str | Unset = form_field(
        "State", parsers.enum("initializing", "active", "inactive", "closed")
    )
