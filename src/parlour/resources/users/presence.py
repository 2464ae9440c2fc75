"""Online state of users over all nodes.

A user is online while at least one node holds a connection of it. Each node records its own users
and renews its lease periodically. When the lease of a node expires, the scheduler records its users
as disconnected, in batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.resources.users import store as user_store
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

# The lease of the only node of an embedded database, wherever its clock is set.
_NEVER_MS: Final = limits.INTEGER_MAX

INSERT_PRESENCE = """
INSERT INTO presence (account_sid, service_sid, identity, node) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_sid, service_sid, identity, node) DO NOTHING
"""
DELETE_PRESENCE = """
DELETE FROM presence
 WHERE account_sid = $1 AND service_sid = $2 AND identity = $3 AND node = $4
"""
FETCH_PRESENCE = """
SELECT 1 FROM presence WHERE account_sid = $1 AND service_sid = $2 AND identity = $3 LIMIT 1
"""
# tidy: account-in-sql - the users of a node, over all accounts
LIST_OF_NODE = """
SELECT account_sid, service_sid, identity FROM presence WHERE node = $1
 ORDER BY account_sid, service_sid, identity LIMIT $2
"""
UPSERT_NODE = """
INSERT INTO node (name, expires_ms) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET expires_ms = excluded.expires_ms
"""
EXPIRE_OTHER_NODES = "UPDATE node SET expires_ms = 0 WHERE name <> $1"
FETCH_NEXT_NODE = "SELECT name, expires_ms FROM node ORDER BY expires_ms, name LIMIT 1"
CAP_NODE_EXPIRY = "UPDATE node SET expires_ms = $1 WHERE expires_ms > $1 AND expires_ms < $2"
DELETE_NODE = "DELETE FROM node WHERE name = $1"


async def record_connection(
    tx: Transaction, scope: Scope, identity: str, node: str, *, is_connected: bool
) -> None:
    """Record whether a node has connections of a user, and emit a change of presence."""
    row = (scope.account_sid, scope.service_sid, identity, node)
    if is_connected:
        await tx.run(INSERT_PRESENCE, *row)
    else:
        await tx.run(DELETE_PRESENCE, *row)
    await _update_online(tx, scope, identity)


async def _update_online(tx: Transaction, scope: Scope, identity: str) -> None:
    user = await user_store.find_user_by_identity(tx, scope, identity)
    if user is None:
        return
    found = await tx.one(FETCH_PRESENCE, scope.account_sid, scope.service_sid, identity)
    is_online = int(found is not None)
    if (user.is_online or 0) == is_online:
        return
    await user_store.update_user_online(tx, scope, user.sid, is_online)
    await tx.emit(
        scope,
        event_names.USER_REACHABILITY_UPDATED,
        subject_sid=user.sid,
        payload={"user_sid": user.sid, "is_online": bool(is_online)},
    )


# tidy: event-for-change - a heartbeat has no subscribers
async def renew_node(tx: Transaction, node: str, *, is_only: bool) -> None:
    """Renew the lease of a node; the only node expires all others."""
    if is_only:
        await tx.run(EXPIRE_OTHER_NODES, node)
    await tx.run(UPSERT_NODE, node, _NEVER_MS if is_only else tx.now + limits.NODE_MS)


# tidy: event-for-change - as above
async def cap_node_expiry(tx: Transaction) -> None:
    """Cap the leases of nodes after the clock was set back."""
    await tx.run(CAP_NODE_EXPIRY, tx.now + limits.NODE_MS, _NEVER_MS)


async def next_due_ms(tx: Transaction) -> int | None:
    """Return when the lease of the first node expires; None if none does."""
    row = await tx.one(FETCH_NEXT_NODE)
    return None if row is None or row[1] == _NEVER_MS else int(row[1])


async def step(tx: Transaction) -> None:
    """Record a batch of an expired node's users as disconnected."""
    row = await tx.one(FETCH_NEXT_NODE)
    if row is None or row[1] > tx.now:
        return
    node = str(row[0])
    found = await tx.all(LIST_OF_NODE, node, limits.PURGE_ROWS_MAX)
    for account_sid, service_sid, identity in found:
        await record_connection(
            tx, Scope(account_sid, service_sid), identity, node, is_connected=False
        )
    if len(found) < limits.PURGE_ROWS_MAX:
        await tx.run(DELETE_NODE, node)
