"""Rows of opt-outs.

An opt-out applies to one sender or, if the sender is in a messaging service, to all senders of it.
SMS, MMS and RCS share it, so their addresses are stored as plain numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_RCS: Final = "rcs:"

IS_OPTED_OUT = """
SELECT 1 FROM opt_out WHERE account_sid = $1 AND address = $2 AND owner IN ($3, $4) LIMIT 1
"""
INSERT_OPT_OUT = """
INSERT INTO opt_out (account_sid, owner, address, date_created) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""
DELETE_OPT_OUTS = """
DELETE FROM opt_out WHERE account_sid = $1 AND address = $2 AND owner IN ($3, $4)
"""


def _plain(address: str) -> str:
    return address.removeprefix(_RCS)


async def is_opted_out(
    tx: Transaction, scope: Scope, messaging_service_sid: str | None, sender: str, address: str
) -> bool:
    """Return whether the address opted out of messages from the sender, or its service."""
    owners = (_plain(sender), messaging_service_sid or "")
    return await tx.one(IS_OPTED_OUT, scope.account_sid, _plain(address), *owners) is not None


async def insert_opt_out(
    tx: Transaction, scope: Scope, messaging_service_sid: str | None, sender: str, address: str
) -> bool:
    """Record an opt-out; return False if it exists already."""
    owner = messaging_service_sid or _plain(sender)
    return bool(await tx.run(INSERT_OPT_OUT, scope.account_sid, owner, _plain(address), tx.now))


async def delete_opt_outs(
    tx: Transaction, scope: Scope, messaging_service_sid: str | None, sender: str, address: str
) -> bool:
    """Delete the opt-outs of a sender and of its messaging service; return whether one existed."""
    owners = (_plain(sender), messaging_service_sid or "")
    return bool(await tx.run(DELETE_OPT_OUTS, scope.account_sid, _plain(address), *owners))
