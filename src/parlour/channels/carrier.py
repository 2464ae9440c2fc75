"""The interface of carriers: they connect the server with phones, mailboxes and other networks.

A carrier submits outbound messages, and passes inbound messages and delivery reports to its sink.
It stores nothing and repeats nothing: the outbox retries rejected submissions under the same
reference, and the sink recognises duplicates. Reasons:
docs/decisions/0026-the-interface-of-carriers.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import msgspec

from parlour.resources.content_templates import (
    channel_rendering as content_template_channel_rendering,
)
from parlour.resources.inbox import store as inbox_store
from parlour.resources.inbox import unacknowledged_store as inbox_unacknowledged_store
from parlour.resources.outbox import store as outbox_store
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from parlour.egress.client import Egress
    from parlour.vocabulary.clock import Clock, Random

ReportedStatus = Literal["sent", "delivered", "read", "undelivered", "failed"]
"""Statuses of a delivery receipt (`resources/receipts/statuses.py`)."""

# --- Outbound -----------------------------------------------------------------------------


class OutboundMedium(msgspec.Struct, frozen=True):
    """One medium of an outbound message. ``size`` in bytes.

    ``url`` is signed and valid for an hour; empty if the server has no public URL. ``category`` is
    media, body or history, as in the resource of the message.
    """

    sid: str
    content_type: str
    size: int
    filename: str | None
    url: str
    category: str = "media"


OutboundTemplate = content_template_channel_rendering.OutboundTemplate
"""The content template of a message; ``body`` of the message is its text, already filled in."""

OutboundEmail = outbox_store.OutboundEmail
"""The parts of an outbound message that only e-mail has."""


class OutboundMessage(msgspec.Struct, frozen=True):
    """One submission: a message for one recipient, for all members of a group, or one mail.

    ``reference`` is the channel message SID: the same in each repetition, so that a carrier can
    recognise a duplicate, and a report can name it. ``sender`` is None where the channel needs
    none; for e-mail it is the conversation's projected address. ``body`` is None without text.
    ``retries`` counts the earlier submissions of it that ended without a result or with a transient
    one. ``message_sids`` are the channel message SIDs of the recipients' receipts, in the order of
    ``recipients``; the first one is the reference. ``participant_sids`` are the participants, in
    the same order. ``group`` are all numbers of a group's thread, own ones included: nothing is
    sent to those that are no recipients.
    """

    reference: str
    account_sid: str
    conversation_sid: str
    message_sid: str
    channel: str
    sender: str | None
    recipients: tuple[str, ...]
    is_group: bool
    body: str | None
    media: tuple[OutboundMedium, ...] = ()
    template: OutboundTemplate | None = None
    email: OutboundEmail | None = None
    retries: int = 0
    message_sids: tuple[str, ...] = ()
    participant_sids: tuple[str | None, ...] = ()
    group: tuple[str, ...] = ()


class RefusedRecipient(msgspec.Struct, frozen=True):
    """One recipient whom the carrier refused; ``code`` and ``detail`` as in `Rejected`."""

    recipient: str
    code: int
    detail: str


class Accepted(msgspec.Struct, frozen=True):
    """The carrier accepted the submission.

    ``provider_ids`` are the identifiers that its reports will name, one for each part; empty if
    they name the reference. ``refused`` are the recipients of a mail or group that will not get it:
    their receipts become failed, and the other receipts sent.
    """

    provider_ids: tuple[str, ...] = ()
    refused: tuple[RefusedRecipient, ...] = ()


class Rejected(msgspec.Struct, frozen=True):
    """The carrier rejected the submission; nothing was sent.

    ``code`` is the error code of the receipts, ``detail`` the carrier's reason for the log.
    ``retry_after_seconds`` is set for a transient reason: the outbox retries after that time, or
    later, and fails with the code once its own limit is reached.
    """

    code: int
    detail: str
    retry_after_seconds: float | None = None


class CarrierUnavailable(Exception):  # noqa: N818 - named after the condition.
    """The carrier cannot be reached, or the outcome of a submission is unknown: retried."""


class MediumDeleted(Exception):  # noqa: N818 - as above.
    """A medium of an outbound message does not exist any more: its submission is rejected."""


# --- Inbound ------------------------------------------------------------------------------

InboundKey = inbox_store.InboundKey
"""What identifies a stored inbound message."""

UnacknowledgedInbound = inbox_unacknowledged_store.Unacknowledged
"""A stored inbound message whose acknowledgement is not recorded."""


class InboundMedium(msgspec.Struct, frozen=True):
    """One medium of an inbound message: its bytes, or the place where the carrier keeps it."""

    content_type: str
    filename: str | None
    content: bytes | None
    location: str | None = None
    """For `Carrier.read_medium`: a URL or an identifier of the carrier's."""
    category: str = "media"


class MailRecipient(msgspec.Struct, frozen=True):
    """One address of the headers To and Cc of an inbound mail, or of its envelope.

    ``address`` has no tag of a conversation; ``conversation_sid`` is the one of its tag, which
    any sender can forge: it counts only in the account of the receiver.
    """

    address: str
    level: Literal["to", "cc"]
    name: str | None = None
    conversation_sid: str | None = None


class InboundEmail(msgspec.Struct, frozen=True):
    """The parts of an inbound message that only e-mail has.

    ``subject`` is decoded, at most `limits.SUBJECT_CHARS_MAX` characters, empty without one.
    Message-IDs have their angle brackets; ``references`` are oldest first and end with the ones in
    In-Reply-To, at most `limits.EMAIL_REFERENCES_MAX`. `email_threading.parse_message_id`
    recognises ours. ``conversation_sid`` is the tag of the envelope's recipient, or else the first
    tag among the recipients.
    """

    subject: str = ""
    message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    sender_name: str | None = None
    recipients: tuple[MailRecipient, ...] = ()
    conversation_sid: str | None = None


class InboundMessage(msgspec.Struct, frozen=True):
    """One message from outside the chat.

    ``provider_id`` identifies it at its carrier: the same in each redelivery. ``sender`` and
    ``receiver`` are addresses in the API's form (``whatsapp:+1555…``); ``group`` are the further
    receivers of a group message, empty for others. ``body`` is None without text. ``metadata`` is
    the ``data`` of the message's channel metadata, None if the channel has none.

    A mail is passed once for each own address among its envelope's recipients, which is the
    ``receiver``, without a tag. Its ``body`` is the new text without quotes. ``media`` has the
    texts in the category ``body`` (text/plain without quotes, text/html as received), the text with
    its quotes in the category ``history`` if it has any, and the attachments.

    ``is_acknowledgement_recorded`` is set by a carrier whose network gives messages no identifier,
    and which therefore makes one for each content: it calls ``acknowledged`` of its sink, and after
    a restart ``unacknowledged`` returns the messages whose content is a redelivery.
    """

    provider_id: str
    channel: str
    sender: str
    receiver: str
    group: tuple[str, ...]
    body: str | None
    media: tuple[InboundMedium, ...] = ()
    profile_name: str | None = None
    metadata: dict[str, Any] | None = None
    email: InboundEmail | None = None
    is_acknowledgement_recorded: bool = False


class DeliveryReport(msgspec.Struct, frozen=True):
    """What a carrier reports about a submission after it accepted it.

    Either ``reference`` or ``provider_id`` names the submission. ``recipient`` selects a member of
    a group; None means each. ``error_code`` is 0 without an error; ``detail`` is for the log.
    """

    status: ReportedStatus
    reference: str | None = None
    provider_id: str | None = None
    recipient: str | None = None
    error_code: int = 0
    detail: str = ""


class InboundRefused(Exception):  # noqa: N818 - as above.
    """The receiver is no number of this server: the message was logged and not stored."""


class CarrierSink(Protocol):
    """The server as a carrier sees it. ``inbound`` and ``report`` return after the commit.

    A carrier acknowledges to its network only after the call returned. Any exception but
    `InboundRefused` means that nothing was stored: the network has to redeliver.
    """

    async def inbound(self, message: InboundMessage) -> InboundKey:
        """Store an inbound message; a redelivery changes nothing. Raises InboundRefused."""
        ...

    def acknowledged(self, key: InboundKey) -> None:
        """Record soon that the network has the acknowledgement of a message.

        Only for a message with ``is_acknowledgement_recorded``.
        """
        ...

    async def unacknowledged(self) -> list[UnacknowledgedInbound]:
        """Return the messages that the network may deliver again, oldest first.

        Those with ``is_acknowledgement_recorded`` whose acknowledgement is not recorded, of the
        last `limits.INBOX_UNACKNOWLEDGED_HOURS`. To be read at the start, before the links open.
        """
        ...

    async def acknowledgements_recorded(self) -> None:
        """Return once all acknowledgements are recorded, or after a timeout.

        To be awaited at the stop, after the links are closed: another node may start then.
        """
        ...

    async def report(self, report: DeliveryReport) -> None:
        """Record a report. One of an unknown submission is logged and dropped."""
        ...


# --- Callbacks over HTTP ------------------------------------------------------------------


class CallbackRequest(Redacted, msgspec.Struct, frozen=True):
    """A request below ``/parlour/v1/Carriers/{Name}``, read within the limit of bodies.

    ``path`` is the part after the name, without a leading slash; ``url`` is the whole public URL
    with its query, which signatures cover; header names are lower case.
    """

    # Some carriers authenticate by a parameter of the query, or by a header.
    secret_fields = frozenset({"query", "headers"})

    method: str
    path: str
    url: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class CallbackResponse(msgspec.Struct, frozen=True):
    """The response to a callback."""

    status: int = 200
    content_type: str = "text/plain"
    body: bytes = b""


class Callback(msgspec.Struct, frozen=True):
    """The content of a verified callback, and the response once all of it is stored."""

    inbound: tuple[InboundMessage, ...] = ()
    reports: tuple[DeliveryReport, ...] = ()
    response: CallbackResponse = CallbackResponse()


class CallbackRefused(Exception):  # noqa: N818 - as above.
    """The callback has a wrong signature (403), is malformed (400), or has no such path (404)."""

    def __init__(self, status: Literal[400, 403, 404], reason: str) -> None:
        super().__init__(reason)
        self.status: Final = status
        self.reason: Final = reason


# --- The carrier --------------------------------------------------------------------------


class LinkState(msgspec.Struct, frozen=True):
    """The state of one connection of a carrier, for metrics and the doctor."""

    name: str
    is_up: bool
    detail: str = ""


class VirtualPhones(Protocol):
    """The phones of all accounts (channels/virtual/deliveries.py)."""

    async def deliver(
        self,
        message: OutboundMessage,
        open_medium: Callable[[str, str], Awaitable[AsyncIterator[bytes]]],
        report: Callable[[DeliveryReport], Awaitable[None]],
    ) -> Accepted | Rejected:
        """Deliver a message; a repeated one changes nothing. Raises CarrierUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierContext:
    """What the server gives to a carrier.

    ``callback_url`` is the public URL of its callbacks, without a trailing slash; empty if the
    server has no public URL. ``egress`` may connect to private addresses, because the operator
    names them; a carrier must not send it to a URL that a user chose.
    """

    sink: CarrierSink
    egress: Egress
    clock: Clock
    random: Random
    callback_url: str
    open_medium: Callable[[str, str], Awaitable[AsyncIterator[bytes]]]
    """``open_medium(account_sid, media_sid)`` yields the bytes of an outbound medium.

    Raises MediumDeleted, which ``send`` passes on.
    """
    phones: VirtualPhones | None = None
    """The server's virtual phones; only the built-in virtual carrier delivers to them."""
    may_send: Callable[[], bool] = lambda: True
    """Whether this node has the lease of carriers, so that no other node sends."""

    def require_lease(self) -> None:
        """Raise CarrierUnavailable without the lease.

        To be called by ``send`` after its last wait, immediately before it writes a submission.
        """
        if not self.may_send():
            raise CarrierUnavailable("the lease term is over")


class Carrier(Protocol):
    """One configured carrier. Each node makes it; the owner of its lease starts it."""

    concurrency: int
    """How many submissions may be in flight."""

    async def start(self) -> None:
        """Open links and pollers. Returns without waiting for them; they reconnect alone."""
        ...

    async def stop(self) -> None:
        """Close the links, within `limits.DRAIN_SECONDS_MAX`."""
        ...

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        """Submit a message, once. Raises CarrierUnavailable."""
        ...

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Verify and parse a callback; without effects, also on a node that did not start it.

        Raises CallbackRefused.
        """
        ...

    async def read_medium(self, location: str) -> bytes:
        """Return the bytes of an inbound medium, at most `limits.INBOUND_MEDIA_BYTES_MAX`.

        Raises CarrierUnavailable.
        """
        ...

    def links(self) -> tuple[LinkState, ...]:
        """Return the state of each link of this node."""
        ...

    async def check(self) -> tuple[LinkState, ...]:
        """Connect as ``start`` would, and disconnect: for the doctor, in a separate process."""
        ...


class CarrierType(Protocol):
    """A kind of carrier, as `type` in the carriers file names it.

    Third parties register one under the entry-point group ``parlour.carriers``.
    """

    options: type[msgspec.Struct]
    """The options of its section in the carriers file, decoded strictly; secrets are texts."""
    channels: frozenset[str]
    """The channels that it can carry."""

    def make(self, name: str, options: Any, context: CarrierContext) -> Carrier:
        """Return a carrier; no I/O. Raises ValueError for options that do not fit together."""
        ...
