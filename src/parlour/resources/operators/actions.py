"""Changes of operators. They are on the command line only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.console_sessions import store as console_session_store
from parlour.resources.operators import store as operator_store
from parlour.resources.operators.store import OperatorKey

if TYPE_CHECKING:
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Transaction


class NameTakenError(Exception):
    """Another operator that is not revoked has the name."""


# tidy: event-for-change - no webhook shows operators
async def create_operator(
    tx: Transaction, vault: Vault, *, sid: str, name: str, role: str, secret: str
) -> OperatorKey:
    """Insert an operator. Raises NameTakenError."""
    await tx.lock_name("operator", name)
    if await operator_store.find_by_name(tx, name) is not None:
        raise NameTakenError(name)
    operator = OperatorKey(
        sid=sid,
        name=name,
        role=role,
        secret_digest=vault.digest(secret),
        date_created=tx.now,
        last_used=0,
        date_revoked=None,
    )
    await operator_store.insert_operator(tx, operator)
    return operator


# tidy: event-for-change - as above
async def revoke_operator(tx: Transaction, sid: str) -> bool:
    """Revoke an operator and end its sessions; return whether it was valid."""
    if not await operator_store.revoke_operator(tx, sid):
        return False
    await console_session_store.delete_of_principal(tx, "", sid)
    return True
