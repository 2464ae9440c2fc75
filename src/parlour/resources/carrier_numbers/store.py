"""Numbers and routes of the carriers file, in the database: all nodes see the same.

The file is read at the start of each node; `replace_all` copies its numbers and routes here.
Without a file there are no rows, and every sender belongs to the carrier ``virtual``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from parlour.store.statements import insert, values_of
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.store.transaction import Transaction

EVERY_CHANNEL: Final = "*"
"""The pattern of a route for the senders of all channels."""

VIRTUAL: Final = "virtual"
"""The name of the carrier that exists without a file."""


SeveralMedia = Literal["first", "all"]
"""Of several media: the first one without the text, or the text and all that the channel takes."""


class CarrierRoute(msgspec.Struct, frozen=True):
    """Which carrier sends for a sender: an exact address, a prefix of it, or a channel."""

    kind: Literal["sender", "prefix", "channel"]
    pattern: str
    carrier: str

    def covers(self, channel: str, sender: str) -> bool:
        """Return whether it applies to a sender of a channel."""
        if self.kind == "channel":
            return self.pattern in {channel, EVERY_CHANNEL}
        return sender == self.pattern if self.kind == "sender" else sender.startswith(self.pattern)

    @property
    def precision(self) -> tuple[int, int]:
        """The order of routes that cover the same sender: the highest one applies."""
        ranks = {"sender": 3, "prefix": 2, "channel": 1}
        return (
            0 if self.pattern == EVERY_CHANNEL and self.kind == "channel" else ranks[self.kind]
        ), len(self.pattern)


class OptOutSettings(msgspec.Struct, frozen=True):
    """Words that stop and restart messages of a number to a phone, and the automatic answers.

    Words are upper case. An empty answer is not sent. If not ``is_handled``, for example because
    the network handles the words, they are ordinary messages.
    """

    is_handled: bool = True
    stop_words: tuple[str, ...] = (
        *("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"),
        *("ARRET", "ARRETE", "ARRETT"),
    )
    start_words: tuple[str, ...] = ("START", "YES", "UNSTOP")
    help_words: tuple[str, ...] = ("HELP", "INFO")
    stop_text: str = (
        "You are unsubscribed and get no more messages from this number. Reply START to subscribe."
    )
    start_text: str = "You are subscribed to messages from this number. Reply STOP to unsubscribe."
    help_text: str = "Reply STOP to unsubscribe from messages of this number, START to subscribe."


class AutoCreationSettings(msgspec.Struct, frozen=True):
    """The conversation that an unknown sender's message creates, without a scoped webhook.

    Service None means the account's default service at the time of the message.
    """

    conversation_service_sid: str | None = None


class CarrierNumber(Redacted, msgspec.Struct, frozen=True):
    """An address of this server: its owner, and what happens to messages that it receives.

    ``incoming_url`` is the plain webhook of messages that no conversation takes, and of all
    messages with ``also_plain_webhook``. ``auto_creation`` None: only address configurations
    create conversations. ``several_media``: the part of a message with several media that is sent.
    ``loopback``: the address may also be the address of a participant.
    """

    address: str
    account_sid: str
    messaging_service_sid: str | None = None
    incoming_url: str | None = None
    incoming_method: Literal["GET", "POST"] = "POST"
    also_plain_webhook: bool = False
    opt_out: OptOutSettings = OptOutSettings()
    auto_creation: AutoCreationSettings | None = None
    several_media: SeveralMedia = "first"
    loopback: bool = False


class NumberRow(msgspec.Struct, frozen=True):
    """The row of a number; ``settings`` is a CarrierNumber in JSON."""

    account_sid: str
    address: str
    settings: str


_decode_number = msgspec.json.Decoder(CarrierNumber).decode
_encode_number = msgspec.json.Encoder().encode

INSERT_ROUTE = insert("carrier_route", CarrierRoute)
DELETE_ROUTES = "DELETE FROM carrier_route"
# The most specific route: the exact sender, else its longest prefix, else its channel, else all.
# A row of the migration could be the route without a file, but a store is moved to empty tables.
FIND_CARRIER = """
SELECT carrier FROM (
    SELECT carrier, length(pattern) AS size,
           CASE WHEN kind = 'sender' THEN 0 WHEN kind = 'prefix' THEN 1
                WHEN pattern <> '*' THEN 2 ELSE 3 END AS distance
      FROM carrier_route
     WHERE kind = 'sender' AND pattern = $1
        OR kind = 'prefix' AND pattern = substr($1, 1, length(pattern))
        OR kind = 'channel' AND pattern IN ($2, '*')
     UNION ALL
    SELECT 'virtual', 0, 4 WHERE NOT EXISTS (SELECT 1 FROM carriers_file)
) AS found ORDER BY distance, size DESC LIMIT 1
"""
INSERT_CARRIER_NUMBER = insert("carrier_number", NumberRow)
# tidy: account-in-sql - the file in force lists the numbers of all accounts
DELETE_CARRIER_NUMBERS = "DELETE FROM carrier_number"
# tidy: account-in-sql - the query returns the account
FIND_NUMBER = "SELECT settings FROM carrier_number WHERE address = $1"
FIND_FILE = "SELECT digest FROM carriers_file LIMIT 1"
DELETE_FILE = "DELETE FROM carriers_file"
INSERT_FILE = "INSERT INTO carriers_file (digest, number_count) VALUES ($1, $2)"


# tidy: scope-first - routes serve all accounts
async def find_carrier(tx: Transaction, channel: str, sender: str | None) -> str | None:
    """Return the name of the carrier for this sender; None if no route covers it.

    Without a carriers file always "virtual".
    """
    row = await tx.one(FIND_CARRIER, sender or "", channel)
    return row[0] if row else None


# tidy: scope-first - the account is the result
async def find_number(tx: Transaction, address: str) -> CarrierNumber | None:
    """Return the number with this address, of any account; None if the file has none."""
    row = await tx.one(FIND_NUMBER, address)
    return _decode_number(row[0]) if row else None


# tidy: scope-first - one file serves all accounts
async def has_number_table(tx: Transaction) -> bool:
    """Return whether a carriers file is in force: only its numbers receive messages."""
    return await tx.one(FIND_FILE) is not None


# tidy: scope-first - as above
async def find_file_digest(tx: Transaction) -> str:
    """Return the digest of the carriers file in force, empty without one."""
    row = await tx.one(FIND_FILE)
    return row[0] if row else ""


# tidy: scope-first - as above
async def replace_all(
    tx: Transaction, routes: Sequence[CarrierRoute], numbers: Sequence[CarrierNumber], digest: str
) -> None:
    """Replace all routes and numbers. ``digest`` identifies their file; empty: no file."""
    await tx.lock_name("carriers file")
    await tx.run(DELETE_FILE)
    await tx.run(DELETE_ROUTES)
    await tx.run(DELETE_CARRIER_NUMBERS)
    if digest:
        await tx.run(INSERT_FILE, digest, len(numbers))
    for route in routes:
        await tx.run(INSERT_ROUTE, *values_of(route))
    for number in numbers:
        row = NumberRow(number.account_sid, number.address, _encode_number(number).decode())
        await tx.run(INSERT_CARRIER_NUMBER, *values_of(row))
