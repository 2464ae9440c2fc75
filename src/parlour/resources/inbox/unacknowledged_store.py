"""Rows of messages in the inbox whose acknowledgement to their carrier's network is not recorded.

A row is inserted with its message and deleted soon after the acknowledgement. So after a crash, the
messages that have a row are those that the network may deliver again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.resources.inbox.store import InboundKey
from parlour.store.statements import insert, statement, values_of
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_FIRST_ID: Final = 3
_MESSAGES_MAX: Final = limits.INBOX_ACKNOWLEDGEMENTS_PER_STATEMENT


class Unacknowledged(msgspec.Struct, frozen=True):
    """A message in the inbox without a recorded acknowledgement."""

    account_sid: str
    carrier: str
    provider_id: str
    sequence: int
    date_created: int

    @property
    def key(self) -> InboundKey:
        """The identity of the message."""
        return InboundKey(self.account_sid, self.carrier, self.provider_id)


INSERT = insert("inbox_unacknowledged", Unacknowledged)
DELETE = statement(
    "DELETE FROM inbox_unacknowledged"
    " WHERE account_sid = $1 AND carrier = $2 AND provider_id IN ({provider_ids})",
    provider_ids=", ".join(f"${_FIRST_ID + number}" for number in range(_MESSAGES_MAX)),
)
LIST_OF_CARRIER = statement(
    # tidy: account-in-sql - a carrier serves all accounts
    "SELECT {columns} FROM inbox_unacknowledged WHERE date_created >= $1 AND carrier = $2"
    " ORDER BY sequence DESC LIMIT $3",
    Unacknowledged,
)
# tidy: account-in-sql - old rows are deleted for all accounts
OLDEST = "SELECT date_created FROM inbox_unacknowledged ORDER BY date_created LIMIT 1"
# tidy: account-in-sql - as above
EXPIRE = """
DELETE FROM inbox_unacknowledged WHERE (account_sid, carrier, provider_id) IN (
    SELECT account_sid, carrier, provider_id FROM inbox_unacknowledged
     WHERE date_created < $1 ORDER BY date_created LIMIT $2)
"""


async def insert_unacknowledged(tx: Transaction, scope: Scope, message: Unacknowledged) -> None:
    """Record that a message is stored, and not acknowledged yet."""
    assert message.account_sid == scope.account_sid
    await tx.run(INSERT, *values_of(message))


async def delete_acknowledged(
    tx: Transaction, scope: Scope, carrier: str, provider_ids: Sequence[str]
) -> None:
    """Record that messages of a carrier are acknowledged."""
    for start in range(0, len(provider_ids), _MESSAGES_MAX):
        batch = provider_ids[start : start + _MESSAGES_MAX]
        # The statement has a fixed number of parameters.
        filling = [batch[-1]] * (_MESSAGES_MAX - len(batch))
        await tx.run(DELETE, scope.account_sid, carrier, *batch, *filling)


# tidy: scope-first - a carrier serves all accounts
async def list_of_carrier(tx: Transaction, carrier: str, since_ms: int) -> list[Unacknowledged]:
    """Return the last messages of a carrier that were stored since a date, oldest first."""
    limit = limits.INBOX_UNACKNOWLEDGED_READ_MAX
    rows = await tx.all(LIST_OF_CARRIER, since_ms, carrier, limit)
    return [Unacknowledged(*row) for row in reversed(rows)]


# tidy: scope-first - old rows are deleted for all accounts
async def oldest_unacknowledged_ms(tx: Transaction) -> int | None:
    """Return when the oldest of the messages was stored."""
    row = await tx.one(OLDEST)
    return int(row[0]) if row else None


# tidy: scope-first - as above
async def delete_unacknowledged(tx: Transaction, before_ms: int) -> None:
    """Delete a batch of rows of messages that were stored before a date."""
    await tx.run(EXPIRE, before_ms, limits.INBOX_EXPIRED_PER_STEP_MAX)
