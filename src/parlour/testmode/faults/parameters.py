"""Parameters of the operations on faults."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.realtime import disconnects
from parlour.realtime.disconnects import CLOSES, REFUSALS
from parlour.resources.virtual_phones.parameters import CHANNELS, ERROR_CODES, parse_phone_address
from parlour.testmode.faults import fault as faults
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.errors import CATALOGUE, ApiError

if TYPE_CHECKING:
    from parlour.realtime.disconnects import Disconnect
    from parlour.vocabulary.unset import Unset

METHODS: Final = ("GET", "HEAD", "POST", "DELETE")
REASONS: Final[dict[str, Disconnect]] = {
    name: value
    for name, value in vars(disconnects).items()
    if isinstance(value, disconnects.Disconnect)
}
"""Why connections are refused or closed, by name."""
assert set(REASONS.values()) == {*CLOSES, *REFUSALS}

# The value of a header: printable ASCII without spaces at its ends.
_NAME: Final = re.compile(r"[!-~]([ -~]*[!-~])?\Z")
_PROBABILITY: Final = re.compile(r"(0?\.[0-9]{1,9}|[01](\.0{1,9})?)\Z")
_turns = parsers.integer(minimum=0, maximum=limits.FAULT_TURNS_MAX)
_delay = parsers.integer(minimum=0, maximum=limits.FAULT_DELAY_MS_MAX)
_text = parsers.text(limits.FAULT_TEXT_CHARS_MAX)
_integer = parsers.integer()


def _name(name: str, text: str) -> str:
    if len(text) > limits.FAULT_NAME_CHARS_MAX or not _NAME.match(text):
        raise ApiError.invalid(name)
    return text


def _probability(name: str, text: str) -> float:
    if not _PROBABILITY.match(text) or not 0 < float(text) <= 1:
        raise ApiError(20001, f"Invalid {name}: it is above 0, and 1 at most.")
    return float(text)


def _event_type(name: str, text: str) -> str:
    if text not in event_names.FILTERS:
        raise ApiError(20001, f"Invalid {name}: no webhook has the event {text}.")
    return text


def _reason(name: str, text: str) -> str:
    if text.upper() not in REASONS:
        known = ", ".join(sorted(REASONS))
        raise ApiError(20001, f"Invalid {name}: the reasons are {known}.")
    return text.upper()


def _code(name: str, text: str) -> int:
    code = _integer(name, text)
    if code not in CATALOGUE:
        raise ApiError(20001, f"Invalid {name}: {code} is no error code of the server.")
    return code


def _error(name: str, text: str) -> int:
    code = _integer(name, text)
    if code not in ERROR_CODES:
        raise ApiError(20001, f"Invalid {name}: no carrier fails messages with {code}.")
    return code


def _refuse(name: str, text: str) -> int:
    if text != "503":
        raise ApiError(20001, f"Invalid {name}: an upgrade is refused with 503.")
    return 503


class CreateFault(Parameters):
    """A new fault. ``checks.py`` has the combinations that are possible."""

    target: str | Unset = form_field("Target", parsers.enum(*faults.TARGETS), required=True)
    scope: str | Unset = form_field("Scope", parsers.enum(*faults.SCOPES))
    name: str | Unset = form_field("Name", _name)
    skip: int | Unset = form_field("Skip", _turns)
    times: int | Unset = form_field("Times", _turns)
    probability: float | Unset = form_field("Probability", _probability)

    operations: list[str] | Unset = form_field("Operation", _text, repeated=True)
    method: str | Unset = form_field("Method", parsers.enum(*METHODS))
    path: str | Unset = form_field("Path", _text)
    source: str | Unset = form_field("Source", parsers.enum(*faults.SOURCES))
    identity: str | Unset = form_field("Identity", _text)
    when: str | Unset = form_field("When", parsers.enum(*faults.MOMENTS))
    url: str | Unset = form_field("Url", _text)
    event_type: str | Unset = form_field("EventType", _event_type)
    kind: str | Unset = form_field("Kind", parsers.enum(*faults.KINDS))
    sender: str | Unset = form_field("From", parse_phone_address)
    recipient: str | Unset = form_field("To", parse_phone_address)
    channel: str | Unset = form_field("Channel", parsers.enum(*CHANNELS))

    phase: str | Unset = form_field("Phase", parsers.enum(*faults.PHASES))
    status: int | Unset = form_field("Status", parsers.integer(minimum=200, maximum=599))
    code: int | Unset = form_field("Code", _code)
    retry_after: int | Unset = form_field(
        "RetryAfter", parsers.integer(minimum=0, maximum=limits.FAULT_RETRY_AFTER_SECONDS_MAX)
    )
    delay_ms: int | Unset = form_field("DelayMs", _delay)
    drop: bool | Unset = form_field("Drop", parsers.boolean())
    truncate: int | Unset = form_field(
        "Truncate", parsers.integer(minimum=0, maximum=limits.FAULT_TRUNCATE_BYTES_MAX)
    )
    close: str | Unset = form_field("Close", _reason)
    refuse: int | Unset = form_field("Refuse", _refuse)
    hold_ms: int | Unset = form_field("HoldMs", _delay)
    expire_token: bool | Unset = form_field("ExpireToken", parsers.boolean())
    timeout: bool | Unset = form_field("Timeout", parsers.boolean())
    duplicate: int | Unset = form_field(
        "Duplicate", parsers.integer(minimum=1, maximum=limits.FAULT_DUPLICATES_MAX)
    )
    error: int | Unset = form_field("Error", _error)
    receipts: str | Unset = form_field("Receipts", parsers.enum(*faults.RECEIPTS))
