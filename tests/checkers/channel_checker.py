"""Compares acknowledged messages, stored ones, and those that arrived at the provider.

| violation | meaning |
|---|---|
| lost inbound | acknowledged, and not in its conversation; or out of order, or twice |
| conversations | the first message of a phone did not create exactly one conversation |
| lost program | a message with a 201 response is not stored |
| lost outbound | a recipient has no receipt, or its message did not arrive |
| disorder | messages arrived at a phone in another order than in the conversation |
| unrecorded | a message arrived that the store does not have |
| twice | one process sent a message twice, or a message was not in flight and came again |
| report | a receipt is not delivered, or one of its statuses was published twice |
| superseded | a message was sent after the lease term of its sender |
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from tests.checkers.channel_traffic import PAIRED, STRANGERS
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.checkers.channel_provider import Arrival
    from tests.support.server import Server

MESSAGES = """
SELECT conversation_sid, sid, author, body FROM message ORDER BY conversation_sid, message_index
"""
RECEIPTS = """
SELECT participant.address, receipt.message_sid, receipt.channel_message_sid, receipt.status
  FROM receipt JOIN participant ON participant.account_sid = receipt.account_sid
   AND participant.sid = receipt.participant_sid
"""
RECIPIENTS = "SELECT conversation_sid, address FROM participant WHERE address IS NOT NULL"
PUBLISHED = "SELECT payload FROM event WHERE name = 'onDeliveryUpdated'"
UNFINISHED = """
SELECT (SELECT COUNT(*) FROM inbox WHERE due_ms IS NOT NULL)
     + (SELECT COUNT(*) FROM submission WHERE state = 'queued')
     + (SELECT COUNT(*) FROM receipt WHERE status IS NULL OR status <> 'delivered')
"""


class StoredMessage(NamedTuple):
    """A message in the store."""

    conversation_sid: str
    sid: str
    author: str
    body: str


class StoredReceipt(NamedTuple):
    """A receipt in the store, with the address of its recipient."""

    recipient: str
    message_sid: str
    reference: str
    status: str | None


class StoredChannels(NamedTuple):
    """What the store has; messages are in the order of their conversations."""

    messages: list[StoredMessage]
    receipts: list[StoredReceipt]
    recipients: list[tuple[str, str]]
    """Conversation and address of each participant."""
    published: Counter[tuple[str, str]]
    """How often each status of each receipt was published."""


def unfinished(server: Server) -> int:
    """Return how many messages, submissions and receipts are not in their last state."""
    with closing(connect(server)) as database:
        return int(database.execute(UNFINISHED).fetchone()[0])


def read_channels(server: Server) -> StoredChannels:
    """Read the store."""
    with closing(connect(server)) as database:
        events = [json.loads(row[0])["receipt"] for row in database.execute(PUBLISHED).fetchall()]
        return StoredChannels(
            [StoredMessage(*row) for row in database.execute(MESSAGES).fetchall()],
            [StoredReceipt(*row) for row in database.execute(RECEIPTS).fetchall()],
            [(row[0], row[1]) for row in database.execute(RECIPIENTS).fetchall()],
            Counter((each["sid"], each["status"]) for each in events),
        )


def channel_violations(
    acknowledged: Mapping[str, int],
    posted: Iterable[str],
    stored: StoredChannels,
    arrivals: Sequence[Arrival],
) -> list[str]:
    """Return a message for each violation."""
    return [
        *_inbound(acknowledged, stored),
        *(f"lost program: {sid}" for sid in {*posted} - {each.sid for each in stored.messages}),
        *_without_receipt(stored),
        *_arrived(stored, arrivals),
        *_sent_twice(arrivals),
        *_reports(stored),
    ]


def _inbound(acknowledged: Mapping[str, int], stored: StoredChannels) -> Iterator[str]:
    for phone in (*PAIRED, *STRANGERS):
        count = acknowledged.get(phone, 0)
        found = [each for each in stored.messages if each.author == phone]
        bodies = [each.body for each in found]
        expected = [str(number) for number in range(count)]
        # One more may have been stored without an acknowledgement that arrived.
        if bodies not in (expected, [*expected, str(count)]):
            yield f"lost inbound: {phone}: {count} acknowledged, found {len(bodies)} {bodies[-5:]}"
        if found and len({each.conversation_sid for each in found}) != 1:
            yield f"conversations: {phone} wrote to several"
        if phone in STRANGERS and sum(address == phone for _, address in stored.recipients) > 1:
            yield f"conversations: {phone} has several"


def _without_receipt(stored: StoredChannels) -> Iterator[str]:
    have = {(each.recipient, each.message_sid) for each in stored.receipts}
    for conversation_sid, address in stored.recipients:
        for each in stored.messages:
            is_for = each.conversation_sid == conversation_sid and each.author != address
            if is_for and (address, each.sid) not in have:
                yield f"lost outbound: {each.sid} has no receipt of {address}"


def _arrived(stored: StoredChannels, arrivals: Sequence[Arrival]) -> Iterator[str]:
    place = {each.sid: index for index, each in enumerate(stored.messages)}
    body_of = {each.sid: each.body for each in stored.messages}
    known = {each.reference: each for each in stored.receipts}
    for each in arrivals:
        receipt = known.get(each.reference)
        if receipt is None or (receipt.recipient, body_of[receipt.message_sid]) != (
            each.recipient,
            each.body,
        ):
            yield f"unrecorded: {each.reference} to {each.recipient}: {each.body!r}"
    for phone in sorted({receipt.recipient for receipt in stored.receipts}):
        mine = [each for each in stored.receipts if each.recipient == phone]
        expected = [each.reference for each in sorted(mine, key=lambda one: place[one.message_sid])]
        came = [each.reference for each in arrivals if each.recipient == phone]
        missing = set(expected) - set(came)
        if missing:
            yield f"lost outbound: {len(missing)} of {len(expected)} did not reach {phone}"
        # A message in flight at a kill comes again before the next one of its lane.
        once = [reference for reference, _ in groupby(each for each in came if each in known)]
        if len(once) > len(set(once)):
            yield f"twice: {phone} got earlier messages again"
        elif once != [each for each in expected if each not in missing]:
            yield f"disorder: at {phone}"


def _sent_twice(arrivals: Sequence[Arrival]) -> Iterator[str]:
    for (reference, term), count in Counter(
        (each.reference, each.term) for each in arrivals
    ).items():
        if count > 1:
            yield f"twice: {reference} was sent {count} times in the term {term}"


def _reports(stored: StoredChannels) -> Iterator[str]:
    open_receipts = [each for each in stored.receipts if each.status != "delivered"]
    if open_receipts:
        yield f"report: {len(open_receipts)} receipts are not delivered: {open_receipts[:3]}"
    for (sid, status), count in stored.published.items():
        if count > 1:
            yield f"report: {sid} published {status} {count} times"


def sent_again(arrivals: Iterable[Arrival]) -> int:
    """Return how many submissions repeated an earlier one."""
    counts = Counter(each.reference for each in arrivals)
    return sum(count - 1 for count in counts.values())


def sent_after_term(terms: Mapping[int, float], arrivals: Iterable[Arrival]) -> list[str]:
    """Return submissions that left after the term of their sender; ``terms`` has their starts."""
    found = []
    for each in arrivals:
        starts = [start for fence, start in terms.items() if fence > each.fence]
        late = each.sent_at - min(starts, default=float("inf"))
        if late > 0:
            found.append(f"superseded: {each.reference} left {late:.3f} s after its lease term")
    return found
