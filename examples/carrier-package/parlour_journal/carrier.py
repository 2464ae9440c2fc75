"""The carrier: outbound messages go to a file, everything inbound comes by signed callbacks.

Another program reads the file, one JSON object per line, and reports back to
``/parlour/v1/Carriers/NAME``: a POST with a JSON body and the header ``X-Journal-Signature``, the
HMAC-SHA256 of the body in hexadecimal. A body has any of these members:

    {"reports": [{"reference": "SM…", "status": "delivered"}],
     "messages": [{"id": "7", "from": "+15550100002", "to": "+15550100001", "body": "Hello"}]}
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from parlour.channels.carrier import (
    Accepted,
    Callback,
    CallbackRefused,
    CarrierUnavailable,
    DeliveryReport,
    InboundMessage,
    LinkState,
    ReportedStatus,
)

if TYPE_CHECKING:
    from parlour.channels.carrier import CallbackRequest, CarrierContext, OutboundMessage, Rejected

SIGNATURE_HEADER = "x-journal-signature"


class JournalOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of its section in the carriers file."""

    path: str
    secret: str


class JournalReport(msgspec.Struct, frozen=True):
    """The status of a message, as the reader of the journal reports it."""

    reference: str
    status: ReportedStatus
    error_code: int = 0


class JournalMessage(msgspec.Struct, frozen=True, rename={"sender": "from", "receiver": "to"}):
    """A message from outside; ``id`` is the same in each repetition."""

    id: str
    sender: str
    receiver: str
    body: str


class JournalCallback(msgspec.Struct, frozen=True):
    """The body of a callback."""

    reports: tuple[JournalReport, ...] = ()
    messages: tuple[JournalMessage, ...] = ()


class JournalCarrier:
    """One configured journal."""

    concurrency = 1  # The lines are in the order of the submissions.

    def __init__(self, name: str, options: JournalOptions) -> None:
        self._name = name
        self._path = Path(options.path)
        self._secret = options.secret.encode()

    async def start(self) -> None:
        """Do nothing: the file is opened for each message."""

    async def stop(self) -> None:
        """Do nothing, as above."""

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        """Append a message. Its reports name the reference, so there are no other identifiers."""
        line = msgspec.json.encode(
            {
                "reference": message.reference,
                "from": message.sender,
                "to": message.recipients,
                "body": message.body,
            }
        )
        try:
            await asyncio.to_thread(self._append, line)
        except OSError as error:
            raise CarrierUnavailable(f"{self._path}: {error.strerror}") from error
        return Accepted()

    def _append(self, line: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(line + b"\n")

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Verify and parse a callback."""
        if request.path or request.method != "POST":
            raise CallbackRefused(404, "callbacks are a POST to the name of the carrier")
        given = request.headers.get(SIGNATURE_HEADER, "")
        expected = hmac.new(self._secret, request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise CallbackRefused(403, "wrong signature")
        try:
            content = msgspec.json.decode(request.body, type=JournalCallback)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CallbackRefused(400, str(error)) from None
        return Callback(
            inbound=tuple(
                InboundMessage(each.id, "sms", each.sender, each.receiver, (), each.body)
                for each in content.messages
            ),
            reports=tuple(
                DeliveryReport(
                    status=each.status, reference=each.reference, error_code=each.error_code
                )
                for each in content.reports
            ),
        )

    async def read_medium(self, location: str) -> bytes:
        """Refuse: messages have no media."""
        raise CarrierUnavailable(f"the journal has no medium {location}")

    def links(self) -> tuple[LinkState, ...]:
        """Return whether the folder of the journal exists."""
        folder = self._path.absolute().parent
        is_up = folder.is_dir()
        return (LinkState(self._name, is_up, "" if is_up else f"{folder} does not exist"),)

    async def check(self) -> tuple[LinkState, ...]:
        """Return the same: there is no network."""
        return self.links()


class JournalCarrierType:
    """The type ``journal``."""

    options: type[msgspec.Struct] = JournalOptions
    channels = frozenset({"sms"})

    def make(self, name: str, options: Any, context: CarrierContext) -> JournalCarrier:
        """Return a carrier; no I/O."""
        del context
        if len(options.secret) < 16:
            raise ValueError("secret: must have at least 16 characters")
        return JournalCarrier(name, options)


CARRIER_TYPE = JournalCarrierType()
