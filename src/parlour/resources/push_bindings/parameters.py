"""Parameters of the operations on push bindings."""

from __future__ import annotations

from typing import Final

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.resources.push_bindings.store import BINDING_TYPES
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import Unset


class ListPushBindings(Parameters):
    """Filters of a list: any of the types, and any of the identities."""

    binding_type: list[str] | Unset = form_field(
        "BindingType", parsers.enum(*BINDING_TYPES, code=50209), repeated=True
    )
    identity: list[str] | Unset = form_field(
        "Identity", parsers.text(limits.IDENTITY_CHARS_MAX, 50207), repeated=True
    )

    def types(self) -> list[str]:
        """Return the requested types without duplicates; an empty list means any."""
        return [] if isinstance(self.binding_type, Unset) else _once(self.binding_type)

    def identities(self) -> list[str]:
        """Return the requested identities without duplicates; an empty list means any."""
        wanted = [] if isinstance(self.identity, Unset) else _once(self.identity)
        if len(wanted) > limits.BINDING_IDENTITIES_MAX:
            raise ApiError.invalid("Identity")
        return wanted


_DEVICE_TYPES: Final = ("apn", "gcm", "fcm")
_SHORT_NAMES: Final = {
    "twilio.conversations.new_message": "new_message",
    "twilio.conversations.added_to_conversation": "added_to_conversation",
    "twilio.conversations.removed_from_conversation": "removed_from_conversation",
}
_address = parsers.text(limits.DEVICE_ADDRESS_CHARS_MAX)


class RegisterDevice(Parameters):
    """A device to be registered. The last two parameters come from the access token."""

    channel_type: str = form_field(
        "ChannelType", parsers.enum(*_DEVICE_TYPES, code=50209), required=True
    )
    address: str = form_field("Address", _address, required=True)
    message_types: list[str] | Unset = form_field(
        "MessageTypes", parsers.text(limits.MESSAGE_TYPE_CHARS_MAX), repeated=True
    )
    credential_sid: str | Unset = form_field("CredentialSid", parsers.sid(sids.CREDENTIAL))
    endpoint: str | Unset = form_field("Endpoint", parsers.text(limits.ENDPOINT_ID_CHARS_MAX))

    def short_names(self) -> list[str]:
        """Return the short names of the message types that can be pushed."""
        wanted = [] if isinstance(self.message_types, Unset) else self.message_types
        return _once([_SHORT_NAMES[name] for name in wanted if name in _SHORT_NAMES])


class UnregisterDevice(Parameters):
    """A device to be unregistered, by the address that its push service assigned."""

    binding_type: str = form_field(
        "BindingType", parsers.enum(*_DEVICE_TYPES, code=50209), required=True
    )
    address: str = form_field("Address", _address, required=True)


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
