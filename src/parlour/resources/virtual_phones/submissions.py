"""What a virtual phone sends: checked, and stored before anyone gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.protocol import addresses
from parlour.protocol.addresses import parse_address, parse_proxy_address
from parlour.resources.address_configurations import store as address_configuration_store
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.participants import store as participant_store
from parlour.resources.participants.groups import may_be_in_group
from parlour.resources.virtual_phones import message_store as virtual_phone_message_store
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.resources.virtual_phones.message_store import PhoneMedium
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_SHORT_CHANNELS = frozenset({addresses.SMS, addresses.WHATSAPP})


class PhoneSubmission(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a phone: one receiver, or the other members of a group.

    ``media`` are the phone's copies, whose blobs are persisted.
    """

    sender: str
    receivers: tuple[str, ...]
    body: str | None
    media: tuple[PhoneMedium, ...] = ()
    profile_name: str | None = None

    @property
    def channel(self) -> str:
        """Return the channel of the phone."""
        parsed = parse_address(self.sender)
        assert parsed is not None, self.sender
        return parsed.type

    @property
    def is_group(self) -> bool:
        """Return whether it goes to a group."""
        return len(self.receivers) > 1

    @property
    def members(self) -> tuple[str, ...] | None:
        """Return the members of the group, sorted; None without one."""
        return tuple(sorted({self.sender, *self.receivers})) if self.is_group else None

    @property
    def sid_prefix(self) -> str:
        """Return the prefix of its channel message SID; a message to a group is an MMS."""
        if self.channel == addresses.WHATSAPP:
            return sids.WHATSAPP_MESSAGE
        is_mms = self.channel == addresses.SMS and (self.is_group or bool(self.media))
        return sids.MMS if is_mms else sids.SMS


def with_media(submission: PhoneSubmission, media: Iterable[PhoneMedium]) -> PhoneSubmission:
    """Return a message with these media."""
    return msgspec.structs.replace(submission, media=tuple(media))


def check_submission(submission: PhoneSubmission, *, has_media_urls: bool) -> None:
    """Raise ApiError unless a phone of this channel can send the message.

    ``has_media_urls``: it gets further media.
    """
    channel, receivers = submission.channel, submission.receivers
    parsed = [parse_proxy_address(each) for each in receivers]
    if not receivers or any(each is None or each.type != channel for each in parsed):
        raise ApiError.invalid("To")
    if len(set(receivers)) < len(receivers) or submission.sender in receivers:
        raise ApiError.invalid("To")
    if submission.is_group and not all(map(may_be_in_group, submission.members or ())):
        raise ApiError(20001, "A group has long codes of the United States and Canada only.")
    if len(receivers) > limits.VIRTUAL_PHONE_RECEIVERS_MAX:
        raise ApiError.invalid("To")
    if submission.profile_name is not None and channel != addresses.WHATSAPP:
        raise ApiError(20001, "Only WhatsApp has a ProfileName.")
    if submission.body is None and not submission.media and not has_media_urls:
        raise ApiError.missing("Body")
    check_body(channel, submission.body)


def check_body(channel: str, body: str | None) -> None:
    """Raise ApiError for a body that is too long for its channel."""
    if body is None:
        return
    if len(body.encode()) > limits.MESSAGE_BODY_BYTES_MAX:
        raise ApiError(50504)
    most = limits.SMS_BODY_CHARS_MAX
    if channel in _SHORT_CHANNELS and len(body) > most:
        raise ApiError(20001, f"A message of this channel has {most} characters at most.")


def media_bytes_max(channel: str) -> tuple[int, int]:
    """Return the limits of one file and of all files of a message from a phone, in bytes."""
    if channel == addresses.SMS:
        return limits.INBOUND_MMS_FILE_BYTES_MAX, limits.INBOUND_MMS_BYTES_MAX
    return limits.INBOUND_CHANNEL_MEDIA_BYTES_MAX, limits.INBOUND_CHANNEL_MEDIA_BYTES_MAX


async def find_own_numbers(
    tx: Transaction, scope: Scope, submission: PhoneSubmission
) -> tuple[str, ...]:
    """Return the receivers that are numbers of the account; the others are phones.

    They are in the table of numbers. Without one they are the account's numbers in the open
    conversation of the group, and those with an address configuration; if there are none, the
    first receiver counts as one.
    """
    if not submission.is_group:
        return submission.receivers
    if await carrier_number_store.has_number_table(tx):
        numbers = [await carrier_number_store.find_number(tx, e) for e in submission.receivers]
        own = {e.address for e in numbers if e is not None and e.account_sid == scope.account_sid}
    else:
        own = await _numbers_in_use(tx, scope, submission)
    return tuple(each for each in submission.receivers if each in own) or submission.receivers[:1]


async def _numbers_in_use(tx: Transaction, scope: Scope, submission: PhoneSubmission) -> set[str]:
    members = frozenset(submission.members or ())
    own = set()
    for each in submission.receivers:
        found = await address_configuration_store.find_address_configuration_by_address(
            tx, scope, each
        )
        if found is not None:
            own.add(each)
    for conversation_sid in await participant_store.find_groups_by_numbers(
        tx, scope, members, submission.sender, ""
    ):
        participants = await participant_store.list_all_participants(tx, scope, conversation_sid)
        own |= {each.group_number for each in participants if each.group_number is not None}
    return own


async def stored_media(
    tx: Transaction, scope: Scope, media: Iterable[PhoneMedium]
) -> frozenset[str]:
    """Return the SIDs of the media that have a row."""
    found = [await virtual_phone_message_store.find_any_medium(tx, scope, e.sid) for e in media]
    return frozenset(each.sid for each in found if each is not None)
