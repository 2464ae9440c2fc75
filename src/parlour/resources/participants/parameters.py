"""Parameters of the operations on participants."""

from __future__ import annotations

from typing import ClassVar

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import json_parsers, parsers, timestamps
from parlour.protocol.addresses import (
    ChannelAddress,
    normalise_address,
    parse_address,
    parse_proxy_address,
)
from parlour.resources.users.parameters import identity
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, Unset

REMOVED = "null"
"""The literal that removes a value from a participant: an empty text means unchanged."""

_given_role_sid = parsers.sid(sids.ROLE, 50109)


def address(_name: str, text: str) -> ChannelAddress | None:
    """Return a messaging address; empty counts as absent."""
    if not text:
        return None
    found = parse_address(normalise_address(text))
    if found is None:
        raise ApiError(50407)
    return found


def proxy_address(_name: str, text: str) -> ChannelAddress | None:
    """Return a sender address of the account; empty counts as absent."""
    if not text:
        return None
    found = parse_proxy_address(normalise_address(text))
    if found is None:
        raise ApiError(50408)
    return found


def projected_address(_name: str, text: str) -> ChannelAddress | None:
    """Return the account's number that represents a chat user in a group; empty is absent."""
    if not text:
        return None
    found = parse_proxy_address(normalise_address(text))
    if found is None or found.type != "sms":
        raise ApiError(50439)
    return found


def role_sid(name: str, text: str) -> str | Unset:
    """Return a role; empty is ignored."""
    return _given_role_sid(name, text) if text else UNSET


def _or_removed(
    parse: parsers.Parser[ChannelAddress | None],
) -> parsers.Parser[ChannelAddress | Unset | None]:
    """Return a parser for updates: the literal ``null`` removes, an empty text is absent."""

    def parse_update(name: str, text: str) -> ChannelAddress | Unset | None:
        if text == REMOVED:
            return None
        return parse(name, text) or UNSET

    return parse_update


def _identity_or_removed(name: str, text: str) -> str | None:
    return None if text == REMOVED else identity(name, text)


last_read_message_index = parsers.nullable(parsers.integer(50421, minimum=0))


class CreateParticipant(Parameters):
    """A new participant: a chat identity, a messaging address, or a member of a group.

    ``level`` and ``name`` belong to an e-mail address. ``type`` is the channel, which the address
    decides; another one is invalid.
    """

    identity: str | Unset = form_field("Identity", identity)
    address: ChannelAddress | Unset | None = form_field("MessagingBinding.Address", address)
    proxy_address: ChannelAddress | Unset | None = form_field(
        "MessagingBinding.ProxyAddress", proxy_address
    )
    date_created: int | Unset = form_field("DateCreated", timestamps.timestamp(50308))
    date_updated: int | Unset = form_field("DateUpdated", timestamps.timestamp(50309))
    attributes: str | Unset = form_field(
        "Attributes", json_parsers.attributes(limits.PARTICIPANT_ATTRIBUTES_BYTES_MAX)
    )
    projected_address: ChannelAddress | Unset | None = form_field(
        "MessagingBinding.ProjectedAddress", projected_address
    )
    role_sid: str | Unset = form_field("RoleSid", role_sid)
    type: str | Unset = form_field(
        "MessagingBinding.Type", parsers.text(limits.BINDING_TYPE_CHARS_MAX)
    )
    level: str | Unset = form_field("MessagingBinding.Level", parsers.enum("to", "cc", code=50420))
    name: str | Unset = form_field(
        "MessagingBinding.Name", parsers.text(limits.FRIENDLY_NAME_CHARS_MAX)
    )

    @property
    def has_email_details(self) -> bool:
        """Whether a parameter is present that only an e-mail address may have."""
        return self.level is not UNSET or self.name is not UNSET


class UpdateParticipant(Parameters):
    """A change of a participant. Absent means unchanged; None means removed."""

    empty_update_code: ClassVar[int | None] = 20161

    date_created: int | Unset = form_field("DateCreated", timestamps.timestamp(50308))
    date_updated: int | Unset = form_field("DateUpdated", timestamps.timestamp(50309))
    attributes: str | Unset = form_field(
        "Attributes", json_parsers.attributes(limits.PARTICIPANT_ATTRIBUTES_BYTES_MAX)
    )
    role_sid: str | Unset = form_field("RoleSid", role_sid)
    proxy_address: ChannelAddress | Unset | None = form_field(
        "MessagingBinding.ProxyAddress", _or_removed(proxy_address)
    )
    projected_address: ChannelAddress | Unset | None = form_field(
        "MessagingBinding.ProjectedAddress", _or_removed(projected_address)
    )
    identity: str | Unset | None = form_field("Identity", _identity_or_removed)
    last_read_message_index: int | Unset | None = form_field(
        "LastReadMessageIndex", last_read_message_index
    )
    last_read_timestamp: int | Unset = form_field("LastReadTimestamp", timestamps.timestamp(50405))
