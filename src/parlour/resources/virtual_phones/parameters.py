"""Parameters of the operations on virtual phones and their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.parameters import Parameters, form_field
from parlour.operations.waiting_lists import WaitParameters
from parlour.protocol import addresses, parsers, timestamps, url_parsers
from parlour.resources.virtual_phones import message_store as virtual_phone_message_store
from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

CHANNELS: Final = (
    addresses.SMS,
    addresses.WHATSAPP,
    addresses.MESSENGER,
    addresses.RCS,
    addresses.GBM,
    addresses.APPLE,
    addresses.EMAIL,
)
ERROR_CODES: Final = frozenset(
    {21211, 21606, 21610, 21612, 21614, 21617}
    | {30001, 30003, 30004, 30005, 30006, 30007, 30008, 30410}
    | {63001, 63005, 63012, 63013, 63014, 63016, 63017, 63018, 63019, 63021}
    | {63024, 63026, 63027, 63028, 63032, 63033}
)
"""The codes with which carriers fail messages."""

_code = parsers.integer()


def parse_phone_address(name: str, text: str) -> str:
    """Return the address of a phone. Raises 50407."""
    del name
    address = addresses.parse_address(addresses.normalise_address(text))
    if address is None:
        raise ApiError(50407)
    return address.text


def _error_code(name: str, text: str) -> int:
    """Return a code of `ERROR_CODES`; 0, the default of the channel, for an empty text."""
    if not text:
        return 0
    code = _code(name, text)
    if code not in ERROR_CODES:
        raise ApiError.invalid(name)
    return code


def _body(name: str, text: str) -> str | None:
    """Return a body; an empty one counts as absent."""
    del name
    return text or None


def _read(name: str, text: str) -> str:
    if text != "read":
        raise ApiError.invalid(name)
    return text


class ListVirtualPhones(Parameters):
    """The filter of the list."""

    channel: str | Unset = form_field("Channel", parsers.enum(*CHANNELS))


class CreateVirtualPhone(Parameters):
    """The address of a new phone, and its name."""

    address: str | Unset = form_field("Address", parse_phone_address, required=True)
    name: str | Unset | None = form_field(
        "Name", parsers.clearable(parsers.text(limits.VIRTUAL_PHONE_NAME_CHARS_MAX), None)
    )


class UpdateVirtualPhone(Parameters):
    """The behaviour of a phone, and its name."""

    name: str | Unset | None = form_field(
        "Name", parsers.clearable(parsers.text(limits.VIRTUAL_PHONE_NAME_CHARS_MAX), None)
    )
    behaviour: str | Unset = form_field("Behaviour", parsers.enum(*virtual_phone_store.BEHAVIOURS))
    error_code: int | Unset = form_field("ErrorCode", _error_code)
    delay_ms: int | Unset = form_field(
        "DelayMs", parsers.integer(minimum=0, maximum=limits.VIRTUAL_PHONE_DELAY_MS_MAX)
    )
    receipts: str | Unset = form_field("Receipts", parsers.enum(*virtual_phone_store.RECEIPTS))
    reads: bool | Unset = form_field("Reads", parsers.boolean())


class ListVirtualPhoneMessages(WaitParameters):
    """The filters of the list, combined by AND."""

    sender: str | Unset = form_field("From", parsers.text(limits.ADDRESS_CHARS_MAX))
    recipient: str | Unset = form_field("To", parsers.text(limits.ADDRESS_CHARS_MAX))
    direction: str | Unset = form_field(
        "Direction", parsers.enum(*virtual_phone_message_store.DIRECTIONS)
    )
    after: int | Unset = form_field("After", timestamps.timestamp())


class CreateVirtualPhoneMessage(Parameters):
    """A message that a phone sends; its files are parts of the form, named ``Media``."""

    receivers: list[str] | Unset = form_field(
        "To", parsers.text(limits.ADDRESS_CHARS_MAX), required=True, repeated=True
    )
    body: str | Unset | None = form_field("Body", _body)
    media_urls: list[str] | Unset = form_field("MediaUrl", url_parsers.url(), repeated=True)
    profile_name: str | Unset | None = form_field(
        "ProfileName", parsers.clearable(parsers.text(limits.PROFILE_NAME_CHARS_MAX), None)
    )


class UpdateVirtualPhoneMessage(Parameters):
    """The new status: the person opens the message."""

    status: str | Unset = form_field("Status", _read, required=True)
