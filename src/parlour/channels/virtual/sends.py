"""Messages that virtual phones send.

1. The message is stored at its phone; in a group, also in the inboxes of the other members.
2. Each number of the account that receives it gets a copy through the inbox of carriers, as from
   any carrier: in a group of several own numbers, several copies of one message.
3. Once all copies are processed, the outcome is recorded at the phone.

A crash after step 1 leaves a message with the status queued and no outcome. After step 2 the inbox
processes it; only the record of the outcome is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from parlour.channels.carrier import (
    InboundEmail,
    InboundMedium,
    InboundMessage,
    InboundRefused,
    MailRecipient,
)
from parlour.channels.virtual.deliveries import as_transmitted
from parlour.protocol import addresses, email_threading
from parlour.resources.carrier_numbers.store import VIRTUAL
from parlour.resources.virtual_phones import behaviours as virtual_phone_behaviours
from parlour.resources.virtual_phones import inbox as virtual_phone_inbox
from parlour.resources.virtual_phones import message_store as virtual_phone_message_store
from parlour.resources.virtual_phones.inbox import PhoneText
from parlour.resources.virtual_phones.submissions import find_own_numbers
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary.dates import updated
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from parlour.resources.inbox.store import InboundKey
    from parlour.resources.virtual_phones.media_copies import PhoneMediaCopies
    from parlour.resources.virtual_phones.message_store import PhoneMedium, VirtualPhoneMessage
    from parlour.resources.virtual_phones.submissions import PhoneSubmission
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Random

SENT: Final = "sent"
FAILED: Final = "failed"
DROPPED: Final = "dropped"
_UNREACHABLE: Final = 21612


class PhoneOutcome(Protocol):
    """The outcome of a copy (`InboundOutcome` in channels/inbound.py)."""

    @property
    def outcome(self) -> str:
        """Return what took the message."""
        ...

    @property
    def reason(self) -> str | None:
        """Return why no conversation took it, in words."""
        ...

    @property
    def conversation_sid(self) -> str | None:
        """Return the conversation that took it."""
        ...

    @property
    def message_sid(self) -> str | None:
        """Return its message in the conversation."""
        ...

    @property
    def participant_sid(self) -> str | None:
        """Return the participant that wrote it."""
        ...


class PhoneInbound(Protocol):
    """The part of `InboundProcessor` that phones use."""

    async def accept(
        self, carrier_name: str, message: InboundMessage, *, account_sid: str | None = None
    ) -> InboundKey:
        """Store a message; return its key after the commit. Raises InboundRefused, Busy."""
        ...

    async def outcome(self, key: InboundKey) -> PhoneOutcome:
        """Wait until a message was processed; return the outcome."""
        ...


class PhoneResponse(Protocol):
    """The response that is stored for an idempotency key (http/virtual_phones.py)."""

    async def begin(self, tx: Transaction, message: VirtualPhoneMessage) -> None:
        """Store the response for a new message. Raises 409 if the key has one."""
        ...

    async def record(self, tx: Transaction, message: VirtualPhoneMessage) -> None:
        """Store the response for the outcome of the message."""
        ...

    async def release(self, tx: Transaction) -> None:
        """Delete the stored response: the request may be repeated."""
        ...


class PhoneSends:
    """Sends messages of the phones of all accounts."""

    def __init__(
        self, store: Store, copies: PhoneMediaCopies, inbound: PhoneInbound, random: Random
    ) -> None:
        self._store = store
        self._copies = copies
        self._inbound = inbound
        self._random = random

    async def send(
        self,
        account_sid: str,
        submission: PhoneSubmission,
        response: PhoneResponse | None = None,
    ) -> VirtualPhoneMessage:
        """Send a checked message; return it with its outcome. Raises Busy, Unavailable.

        If it raises before the message is stored, the blobs of its media remain with the caller.
        ``response`` is stored with the message, and deleted if no own number has accepted it.
        """
        scope = Scope(account_sid)
        own = await self._store.read(
            lambda tx: find_own_numbers(tx, scope, submission), account_sid=account_sid
        )
        contents = [await self._copies.read(account_sid, each) for each in submission.media]
        message = await self._store_message(scope, submission, own, contents, response)
        accepted: list[InboundKey] = []
        try:
            await self._pass_on(scope, submission, message, own, contents, accepted)
            outcomes = [await self._inbound.outcome(key) for key in accepted]
        except InboundRefused as error:
            refused = {"outcome": DROPPED, "reason": str(error), "error_code": _UNREACHABLE}
            return await self._record(scope, message, FAILED, refused, response)
        except (Busy, Unavailable) as error:
            # After Unavailable a number may have accepted it.
            is_unsent = isinstance(error, Busy) and not accepted
            failed = {"reason": str(error) or None}
            await self._record(scope, message, FAILED, failed, response, releases=is_unsent)
            raise
        return await self._record(scope, message, SENT, _members(outcomes), response)

    async def _store_message(
        self,
        scope: Scope,
        submission: PhoneSubmission,
        own: tuple[str, ...],
        contents: list[bytes],
        response: PhoneResponse | None,
    ) -> VirtualPhoneMessage:
        """Store the message at its phone and at the other members of its group."""
        others = [each for each in submission.receivers if each not in own]
        media = {each: await self._copy(scope, submission, contents) for each in others}
        text = PhoneText(
            sid=self._random.sid(submission.sid_prefix),
            sender=submission.sender,
            recipients=submission.receivers,
            members=submission.members,
            body=submission.body,
            media=submission.media,
        )
        try:
            message, stored = await self._store.write(
                lambda tx: _store_text(tx, scope, text, submission.channel, media, response),
                account_sid=scope.account_sid,
            )
        except (ApiError, Busy):
            for copies in media.values():
                await self._copies.discard(scope.account_sid, copies)
            raise
        await self._copies.mark_committed(scope.account_sid, submission.media)
        for address, copies in media.items():
            if address in stored:
                await self._copies.mark_committed(scope.account_sid, copies)
            else:
                await self._copies.discard(scope.account_sid, copies)
        return message

    async def _copy(
        self, scope: Scope, submission: PhoneSubmission, contents: list[bytes]
    ) -> tuple[PhoneMedium, ...]:
        pairs = zip(submission.media, contents, strict=True)
        return tuple(
            [
                await self._copies.write_bytes(
                    scope.account_sid, content, each.content_type, each.filename
                )
                for each, content in pairs
            ]
        )

    async def _pass_on(
        self,
        scope: Scope,
        submission: PhoneSubmission,
        message: VirtualPhoneMessage,
        own: tuple[str, ...],
        contents: list[bytes],
        accepted: list[InboundKey],
    ) -> None:
        """Pass a copy to each own number; append the keys. Raises InboundRefused."""
        for number, receiver in enumerate(own):
            # Each copy has its own identifier, as at a carrier; the first has the message's.
            sid = message.sid if not number else self._random.sid(submission.sid_prefix)
            copy = _inbound(submission, message, receiver, sid, contents)
            if submission.channel == addresses.EMAIL:
                copy = await self._as_mail(scope, copy)
            key = await self._inbound.accept(VIRTUAL, copy, account_sid=scope.account_sid)
            accepted.append(key)

    async def _as_mail(self, scope: Scope, message: InboundMessage) -> InboundMessage:
        """Return a message as the mail that a mailbox's program makes of it.

        It is in reply to the last mail from that address; a tag of the address goes first.
        """
        tagged = email_threading.split_tag(message.receiver)
        last = await self._store.read(
            lambda tx: virtual_phone_message_store.find_last_from(
                tx, scope, message.sender, tagged.address
            ),
            account_sid=scope.account_sid,
        )
        domain = email_threading.domain_of(tagged.address)
        references: tuple[str, ...] = ()
        if last is not None and last.message_sid is not None:
            named = (last.message_sid, last.conversation_sid or "")
            references = (email_threading.message_id(*named, domain),)
        mail = InboundEmail(
            message_id=f"<{message.provider_id}@{email_threading.domain_of(message.sender)}>",
            in_reply_to=references[0] if references else None,
            references=references,
            recipients=(MailRecipient(tagged.address, "to", None, tagged.conversation_sid),),
            conversation_sid=tagged.conversation_sid,
        )
        return replace(message, receiver=tagged.address, email=mail)

    async def _record(
        self,
        scope: Scope,
        message: VirtualPhoneMessage,
        status: str,
        members: Mapping[str, object],
        response: PhoneResponse | None,
        *,
        releases: bool = False,
    ) -> VirtualPhoneMessage:
        """Record the outcome, and the response; ``releases``: delete the response instead."""

        async def record(tx: Transaction) -> VirtualPhoneMessage:
            after = updated(message, tx.now, status=status, **members)
            found = await virtual_phone_message_store.find_message(
                tx, scope, message.address, message.sid
            )
            if found is not None:  # It may have made room for later ones.
                await virtual_phone_message_store.update_message(tx, scope, after)
                await virtual_phone_inbox.emit_change(tx, scope, message.address, message.sid)
            if response is not None and releases:
                await response.release(tx)
            elif response is not None:
                await response.record(tx, after)
            return after

        return await self._store.write(record, account_sid=scope.account_sid)


async def _store_text(
    tx: Transaction,
    scope: Scope,
    text: PhoneText,
    channel: str,
    media: Mapping[str, tuple[PhoneMedium, ...]],
    response: PhoneResponse | None,
) -> tuple[VirtualPhoneMessage, set[str]]:
    """Store a text at its phone and the phones in ``media``; return which of these stored it."""
    await virtual_phone_inbox.lock_phones(tx, scope)
    sent = as_transmitted(text, channel, tx.next_sequence(), has_media=bool(text.media))
    phone = await virtual_phone_inbox.ensure_phone(tx, scope, text.sender)
    message = await virtual_phone_inbox.add_sent(tx, scope, phone, sent)
    if response is not None:
        await response.begin(tx, message)
    stored = set()
    for address, copies in media.items():
        other = await virtual_phone_inbox.ensure_phone(tx, scope, address)
        if virtual_phone_behaviours.takes_messages(other.behaviour):
            own = virtual_phone_inbox.with_media(sent, copies)
            await virtual_phone_inbox.receive(tx, scope, other, own)
            stored.add(address)
    return message, stored


def _inbound(
    submission: PhoneSubmission,
    message: VirtualPhoneMessage,
    receiver: str,
    sid: str,
    contents: list[bytes],
) -> InboundMessage:
    """Return the message as the carrier of an own number gets it."""
    metadata = None
    if submission.channel == addresses.WHATSAPP:
        number = submission.sender.rpartition("+")[2]
        metadata = {"context": {"ProfileName": submission.profile_name or "", "WaId": number}}
    pairs = zip(submission.media, contents, strict=True)
    return InboundMessage(
        provider_id=sid,
        channel=submission.channel,
        sender=submission.sender,
        receiver=receiver,
        group=tuple(each for each in submission.receivers if each != receiver),
        body=message.body,
        media=tuple(
            InboundMedium(each.content_type, each.filename, content) for each, content in pairs
        ),
        profile_name=submission.profile_name,
        metadata=metadata,
    )


def _members(outcomes: Iterable[PhoneOutcome]) -> dict[str, object]:
    """Return the members of the message: of the copy that a conversation took, else the first."""
    found = list(outcomes)
    chosen = next((each for each in found if each.conversation_sid is not None), found[0])
    return {
        "outcome": chosen.outcome,
        "reason": chosen.reason,
        "conversation_sid": chosen.conversation_sid,
        "message_sid": chosen.message_sid,
        "participant_sid": chosen.participant_sid,
    }
