"""Rows of participants."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from parlour.store.statements import (
    statement,
)
from parlour.store.table import ChildTable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Participant(msgspec.Struct, frozen=True):
    """One member of one conversation. Dates in milliseconds since 1970 UTC.

    ``holds_pair`` is 1 while its address pair is reserved: from its creation until it is deleted or
    its conversation closes; ``is_open`` is 1 until its conversation closes. ``binding_type`` is
    None for a participant without addresses.
    """

    account_sid: str
    service_sid: str
    conversation_sid: str
    sid: str
    sequence: int
    identity: str | None
    attributes: str
    role_sid: str | None
    binding_type: str | None
    address: str | None
    proxy_address: str | None
    projected_address: str | None
    binding_level: str | None
    binding_name: str | None
    holds_pair: int
    is_open: int
    notification_level: str
    last_read_message_index: int | None
    last_read_timestamp: int | None
    date_created: int
    date_updated: int

    @property
    def is_chat(self) -> bool:
        """Whether it is reached by chat only."""
        return self.binding_type is None

    @property
    def is_native(self) -> bool:
        """Whether it is a native group member: it has a phone number, but no proxy."""
        return self.binding_type == "sms" and self.address is not None and not self.proxy_address

    @property
    def is_group_form(self) -> bool:
        """Whether it makes its conversation a group: native, or with a projected address."""
        return self.binding_type == "sms" and self.proxy_address is None

    @property
    def own_number(self) -> str | None:
        """The account's number that others see for it, if it has one."""
        return self.proxy_address or self.projected_address

    @property
    def group_number(self) -> str | None:
        """Its own number if that is an SMS number, which phones see in the thread of a group."""
        return self.own_number if self.binding_type == "sms" else None


class ParticipantCounts(NamedTuple):
    """The numbers of a conversation's participants by kind; one may count for several."""

    total: int
    with_address: int
    in_group_form: int
    chat: int
    pairs: int


TABLE = ChildTable(
    "participant",
    Participant,
    key=("account_sid", "conversation_sid", "sid"),
    indexed=(
        "service_sid",
        "sequence",
        "identity",
        "role_sid",
        "binding_type",
        "address",
        "proxy_address",
        "projected_address",
        "holds_pair",
        "is_open",
    ),
)
insert_participant = TABLE.inserter()
find_participant = TABLE.finder()
list_participants = TABLE.lister()
update_participant_row = TABLE.changes_updater()
delete_participant_row = TABLE.deleter()
FETCH_IN_SERVICE = statement(
    "SELECT {columns} FROM participant"
    " WHERE account_sid = $1 AND service_sid = $2 AND conversation_sid = $3 AND sid = $4",
    Participant,
)
FETCH_BY_IDENTITY = statement(
    "SELECT {columns} FROM participant"
    " WHERE account_sid = $1 AND conversation_sid = $2 AND identity = $3",
    Participant,
)
LIST_ALL = statement(
    "SELECT {columns} FROM participant WHERE account_sid = $1 AND conversation_sid = $2"
    " ORDER BY sequence, sid LIMIT 1000",
    Participant,
)
FETCH_ADDRESS_PAIR_OWNER = """
SELECT conversation_sid FROM participant
 WHERE account_sid = $1 AND address = $2 AND proxy_address = $3 AND holds_pair = 1
 UNION ALL
SELECT conversation_sid FROM pending_pair
 WHERE account_sid = $1 AND address = $2 AND proxy_address = $3 LIMIT 1
"""
IS_OWN_NUMBER = """
SELECT EXISTS (SELECT 1 FROM participant WHERE account_sid = $1 AND proxy_address = $2)
    OR EXISTS (SELECT 1 FROM participant WHERE account_sid = $1 AND projected_address = $2)
    OR EXISTS (SELECT 1 FROM account_number WHERE account_sid = $1 AND address = $2)
    OR EXISTS (SELECT 1 FROM carrier_number WHERE account_sid = $1 AND address = $2)
"""
COUNT = """
SELECT COUNT(*), COUNT(address),
       COUNT(CASE WHEN binding_type = 'sms' AND proxy_address IS NULL THEN 1 END),
       COUNT(*) - COUNT(binding_type), COUNT(proxy_address)
  FROM participant WHERE account_sid = $1 AND conversation_sid = $2
"""
COUNT_OPEN_MEMBERSHIPS = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM participant
     WHERE account_sid = $1 AND service_sid = $2 AND identity = $3 AND is_open = 1 LIMIT $4
) AS found
"""
# Conversations with exactly these SMS numbers, the set of groups.py: $4 is the list with a comma
# before and after each number, $5 their count. The database compares, as one member may be in
# thousands of groups. Deleted services are left out, because their rows are purged later.
FETCH_GROUPS_BY_NUMBERS = """
SELECT found.conversation_sid FROM (
    SELECT conversation_sid FROM participant
     WHERE account_sid = $1 AND address = $2 AND is_open = 1
     UNION ALL
    SELECT conversation_sid FROM participant
     WHERE account_sid = $1 AND projected_address = $2 AND is_open = 1
) AS found CROSS JOIN participant AS other
 WHERE other.account_sid = $1 AND other.conversation_sid = found.conversation_sid
   AND found.conversation_sid <> $3 AND other.binding_type = 'sms'
   AND EXISTS (SELECT 1 FROM service
                WHERE service.account_sid = $1 AND service.sid = other.service_sid)
 GROUP BY found.conversation_sid
HAVING COUNT(DISTINCT COALESCE(other.proxy_address, other.projected_address, other.address)) = $5
   AND SUM(CASE WHEN $4 LIKE '%,' || COALESCE(other.proxy_address, other.projected_address,
                                              other.address) || ',%' THEN 0 ELSE 1 END) = 0
 ORDER BY found.conversation_sid LIMIT 1000
"""
# By sid, the column of the index of open participants, so that closed ones are not read.
LIST_OPEN_MEMBERSHIPS = statement(
    "SELECT {columns} FROM participant WHERE account_sid = $1 AND sid IN ("
    "SELECT sid FROM participant WHERE account_sid = $1 AND service_sid = $2"
    " AND identity = $3 AND is_open = 1 LIMIT $4)",
    Participant,
)
# Only memberships from before the delete: a user created again may join in the meantime.
LIST_MEMBERSHIPS_BEFORE = statement(
    "SELECT {columns} FROM participant WHERE account_sid = $1 AND service_sid = $2"
    " AND identity = $3 AND sequence < $4 ORDER BY sequence, sid LIMIT $5",
    Participant,
)
# A pending conversation reserves its set as a pair of this constant, which is no valid address, and
# the numbers.
_GROUP_MARK = "group"
FETCH_RESERVATION = """
SELECT conversation_sid FROM pending_pair
 WHERE account_sid = $1 AND address = $2 AND proxy_address = $3
"""
INSERT_RESERVATION = """
INSERT INTO pending_pair (account_sid, service_sid, conversation_sid, address, proxy_address)
VALUES ($1, $2, $3, $4, $5)
"""
DELETE_RESERVATIONS = """
DELETE FROM pending_pair WHERE account_sid = $1 AND conversation_sid = $2
"""
LIST_AUTHOR_AND_BOUND = statement(
    "SELECT {columns} FROM participant"
    " WHERE account_sid = $1 AND conversation_sid = $2 AND identity = $3"
    " UNION ALL SELECT {columns} FROM participant /* INDEXED BY participant_bound */"
    " WHERE account_sid = $1 AND conversation_sid = $2 AND binding_type IS NOT NULL"
    " AND (identity IS NULL OR identity <> $3) LIMIT 1000",
    Participant,
)


async def find_participant_in_service(
    tx: Transaction, scope: Scope, conversation_sid: str, sid: str
) -> Participant | None:
    """Return the participant with these SIDs, if its conversation belongs to the service."""
    row = await tx.one(
        FETCH_IN_SERVICE, scope.account_sid, scope.service_sid, conversation_sid, sid
    )
    return Participant(*row) if row else None


async def find_participant_by_identity(
    tx: Transaction, scope: Scope, conversation_sid: str, identity: str
) -> Participant | None:
    """Return the participant with this identity, or None."""
    row = await tx.one(FETCH_BY_IDENTITY, scope.account_sid, conversation_sid, identity)
    return Participant(*row) if row else None


async def list_all_participants(
    tx: Transaction, scope: Scope, conversation_sid: str
) -> list[Participant]:
    """Return all participants of a conversation (at most 1,000), oldest first."""
    rows = await tx.all(LIST_ALL, scope.account_sid, conversation_sid)
    return [Participant(*row) for row in rows]


async def find_address_pair_owner(
    tx: Transaction, scope: Scope, address: str, proxy_address: str
) -> str | None:
    """Return the conversation that holds this address pair, in any service of the account.

    The pair is locked until the transaction ends, so that a free one can be reserved.
    """
    await tx.lock_name("pair", scope.account_sid, address, proxy_address)
    row = await tx.one(FETCH_ADDRESS_PAIR_OWNER, scope.account_sid, address, proxy_address)
    return row[0] if row else None


async def reserve_address_pair(
    tx: Transaction, scope: Scope, conversation_sid: str, address: str, proxy_address: str
) -> None:
    """Reserve an address pair for a participant to be added in the background."""
    owner = (scope.account_sid, scope.service_sid, conversation_sid)
    await tx.run(INSERT_RESERVATION, *owner, address, proxy_address)


async def reserve_group_numbers(
    tx: Transaction, scope: Scope, conversation_sid: str, numbers: frozenset[str]
) -> None:
    """Reserve the set of numbers of a group whose participants are to be added."""
    await reserve_address_pair(tx, scope, conversation_sid, _GROUP_MARK, ",".join(sorted(numbers)))


async def find_group_reservation(
    tx: Transaction, scope: Scope, numbers: frozenset[str]
) -> str | None:
    """Return the pending conversation that reserved this set, in any service of the account."""
    number_list = ",".join(sorted(numbers))
    row = await tx.one(FETCH_RESERVATION, scope.account_sid, _GROUP_MARK, number_list)
    return row[0] if row else None


async def release_reservations(tx: Transaction, scope: Scope, conversation_sid: str) -> int:
    """Release the reservations of pending participants; return the number of rows."""
    return await tx.run(DELETE_RESERVATIONS, scope.account_sid, conversation_sid)


async def is_own_number(tx: Transaction, scope: Scope, address: str) -> bool:
    """Return whether the address belongs to the account: as a sender, or configured."""
    row = await tx.one(IS_OWN_NUMBER, scope.account_sid, address)
    assert row is not None
    return bool(row[0])


async def count_participants(
    tx: Transaction, scope: Scope, conversation_sid: str
) -> ParticipantCounts:
    """Return how many participants there are of each kind."""
    row = await tx.one(COUNT, scope.account_sid, conversation_sid)
    assert row is not None
    return ParticipantCounts(*row)


async def count_open_memberships(
    tx: Transaction, scope: Scope, identity: str, count_max: int
) -> int:
    """Return the number of an identity's open conversations, counted up to a limit."""
    row = await tx.one(
        COUNT_OPEN_MEMBERSHIPS, scope.account_sid, scope.service_sid, identity, count_max
    )
    assert row is not None
    return int(row[0])


async def list_open_memberships(tx: Transaction, scope: Scope, identity: str) -> list[Participant]:
    """Return every participant with this identity in a conversation that is not closed."""
    count = limits.CONVERSATIONS_PER_IDENTITY_MAX
    found = await tx.all(
        LIST_OPEN_MEMBERSHIPS, scope.account_sid, scope.service_sid, identity, count
    )
    return [Participant(*row) for row in found]


async def list_memberships_before(
    tx: Transaction, scope: Scope, identity: str, before_sequence: int, count: int
) -> list[Participant]:
    """Return the oldest participants with this identity that joined before a moment."""
    found = await tx.all(
        LIST_MEMBERSHIPS_BEFORE,
        scope.account_sid,
        scope.service_sid,
        identity,
        before_sequence,
        count,
    )
    return [Participant(*row) for row in found]


async def find_groups_by_numbers(
    tx: Transaction,
    scope: Scope,
    numbers: frozenset[str],
    member: str,
    but_conversation_sid: str,
) -> list[str]:
    """Return other open conversations of the account with exactly these SMS numbers.

    ``member`` is one of the numbers, with which the search starts.
    """
    listed = f",{','.join(sorted(numbers))},"
    key = (scope.account_sid, member, but_conversation_sid)
    rows = await tx.all(FETCH_GROUPS_BY_NUMBERS, *key, listed, len(numbers))
    return [row[0] for row in rows]


async def list_author_and_bound_participants(
    tx: Transaction, scope: Scope, conversation_sid: str, author: str
) -> list[Participant]:
    """Return the participants that a message of this author concerns, oldest first.

    These are the participant with the author's identity, and all that have an address: a few rows,
    however many chat participants there are.
    """
    rows = await tx.all(LIST_AUTHOR_AND_BOUND, scope.account_sid, conversation_sid, author)
    found = [Participant(*row) for row in rows]
    return sorted(found, key=lambda each: (each.sequence, each.sid)) if len(found) > 1 else found


def find_author(participants: list[Participant], author: str) -> Participant | None:
    """Return the author's participant: by identity first, else by its address."""
    for each in participants:
        if each.identity == author:
            return each
    for each in participants:
        if author in {each.address, each.projected_address}:
            return each
    return None
